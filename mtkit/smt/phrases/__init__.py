"""Phrase pairs (Koehn, Och & Marcu 2003) and what is known of them.

Letters: s̄ a source phrase, t̄ a target phrase.

build           the table of an aligned text on disk, in stages
extract         all pairs of an aligned text
pairs           how often each, and with which links
lexical         lexical weights, both directions
score           φ, both directions
reorder         P(monotone, swap, discontinuous)
table           all of it, to be looked up
context         the lexicon that sees the sentence
context_train   how it is learnt
"""
