"""Why a system translates a sentence as it does, and what it learnt that from.

In reading order: ``reasons`` (the parts of a score, and the training sentences behind them),
``page`` (the same as tables, text and heat maps).
"""
