"""P(y) by n-grams: modified Kneser-Ney smoothing.

ngrams     the model: a trie, and what it says        counts     the n-grams of a text
arpa       the text format of other tools             estimate   the model from them, in memory
spelling   characters of unknown words                build      the same in stages, from files
"""
