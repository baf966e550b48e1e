"""argmax_y: translation options, the decoder, forced decoding, n-best lists."""
