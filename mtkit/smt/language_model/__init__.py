"""P(y) by n-grams: modified Kneser-Ney smoothing.

ngrams     the model: a trie, and what it says        estimate   from text
arpa       the text format of other tools             spelling   characters of unknown words
"""
