"""P(y) by n-grams: modified Kneser-Ney smoothing.

ngrams     the model: a trie and its queries          counts     the n-grams of a text
arpa       the text format of other tools             estimate   train the model in memory
spelling   character n-grams for unknown words        build      train it in stages, with files
"""
