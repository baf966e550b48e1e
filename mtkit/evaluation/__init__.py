"""Evaluation: the quality of translations, and the perplexity of a text by a model.

p is the probability of a token, N the number of tokens.

    statistics       sufficient statistics of BLEU, chrF and TER, one row per sentence
    metrics          BLEU, chrF, TER
    significance     their bootstrap intervals, and tests between two systems
    means            means of measurements over sentences and seeds, with intervals
    perplexity       exp(−(1/N) Σ ln p) of a text, of groups of its tokens and of each token
    perplexity_page  the same as tables, and token by token
"""
