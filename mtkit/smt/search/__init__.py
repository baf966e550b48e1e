"""argmax_y over derivations: which phrases, in which order.

Letters: x the source, N words; λ the weights; a derivation is its phrases in the order of y.

features   what is weighed: names, order, weights
options    the phrases that a sentence can be built from, and what the rest will cost
hypothesis a phrase more; recombination
decoder    beam search                                          heap   the best cells
nbest      the k best derivations                              forced   those of a given y
"""
