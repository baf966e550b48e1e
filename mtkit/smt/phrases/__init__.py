"""Phrase-based translation model (Koehn, Och & Marcu 2003): phrases and their scores.

Letters: s̄ a source phrase, t̄ a target phrase.

build           runs all stages, from an aligned text on disk to the arrays
extract         finds all occurrences of phrases in an aligned text
pairs           counts the distinct ones and chooses their links
lexical         lexical weights, both directions
score           φ, both directions
reorder         P(monotone, swap, discontinuous)
table           the result, for look-up
context         discriminative lexicon that sees the whole sentence
context_train   its training
"""
