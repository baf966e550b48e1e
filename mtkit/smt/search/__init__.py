"""Decoding: argmax_y over derivations, that is, over the choice and the order of phrases.

Letters: x the source, N words; λ the weights; a derivation is its phrases in the order of y.

features   names, order and weights of what the score sums
options    the phrases that a sentence can be built from; future costs
hypothesis extension by a phrase; recombination
decoder    beam search                                          heap   its priority queue
nbest      the k best derivations                              forced   those of a given y
"""
