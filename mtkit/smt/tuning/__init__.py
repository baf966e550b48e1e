"""The weights: BLEU statistics, n-best lists, MERT and batch MIRA."""
