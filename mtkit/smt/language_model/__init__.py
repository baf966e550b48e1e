"""P(y): n-grams with modified Kneser-Ney smoothing, ARPA files, spellings of unknown words."""
