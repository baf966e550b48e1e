"""Phrase pairs (Koehn, Och & Marcu 2003) and what is known of them.

Letters: s̄ a source phrase, t̄ a target phrase.

extract   all pairs of an aligned corpus         table     φ and lexical weights, both directions
reorder   P(monotone, swap, discontinuous)       context   the lexicon that sees the sentence
"""
