"""P(x|y): phrase pairs, their scores, reordering and the lexicon in context."""
