"""Explanations: the parts of a translation's score, and training sentences as evidence.

Modules in reading order: ``reasons`` (score and evidence as data), ``page`` (the same as tables,
text and heat maps).
"""
