"""BLEU, chrF, TER with intervals and significance; perplexity."""
