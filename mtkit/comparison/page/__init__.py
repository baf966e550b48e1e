"""The comparison shown: ``render`` puts the tables together for a terminal and for a browser.

The tables by the question they answer: ``who`` is better, ``where``, ``why``; and ``curve``, from
how much text on.
"""
