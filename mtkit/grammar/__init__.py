"""Generate sentence pairs from a synchronous grammar, with dependencies of a chosen length.

In reading order: ``rules`` (words, phrases, features, trees), ``reader`` (the file of a grammar),
``expand`` (random sentence pairs), ``suite`` (pairs of a correct and a wrong translation; accuracy
by distance), ``make`` (a corpus directory), ``contrasts`` (which translation systems prefer).
"""
