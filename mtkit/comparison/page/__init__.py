"""The comparison for people: ``render`` makes the report for a terminal and for a browser.

Tables: ``who`` (scores, perplexities), ``where`` (sentences, words, n-grams), ``why`` (errors),
``curve`` (learning curves). ``paper`` writes CSV files and a LaTeX table.
"""
