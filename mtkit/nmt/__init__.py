"""The neural half: an LSTM encoder-decoder. The only part of mtkit that imports torch."""
