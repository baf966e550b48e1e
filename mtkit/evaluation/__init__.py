"""Evaluation: how good translations are, and what models think of a text.

p is the probability of a token, N the number of tokens.

    statistics       what BLEU, chrF and TER count, one row a sentence
    metrics          BLEU, chrF, TER
    significance     their bootstrap intervals, and tests between two systems
    means            of measurements over sentences and seeds, with intervals
    perplexity       exp(−(1/N) Σ ln p) of a text, of groups of its tokens and of each token
    perplexity_page  the same as tables, and token by token
"""
