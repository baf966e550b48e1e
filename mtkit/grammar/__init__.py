"""Sentence pairs from a synchronous grammar, their dependencies as long as asked.

In reading order: ``rules`` (words, phrases, features, trees), ``reader`` (the file of a grammar),
``expand`` (random sentence pairs), ``suite`` (pairs of a right and a wrong translation; accuracy by
distance), ``make`` (a corpus directory), ``contrasts`` (what systems prefer).
"""
