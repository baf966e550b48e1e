"""Word alignment (Brown et al. 1993): P(f|e) = Σ_a P(f, a|e), and the best a.

Letters: e_1 … e_I the given sentence, f_1 … f_J the sentence generated from it, a_j the position of
e that f_j is aligned to, 0 for the empty word.

places       co-occurring words: the sparse t(f|e) of a text or a shard, the M-step
direction    P(f|e) of a text in shards: t in parts, EM over all shards
ibm1         Model 1                     diagonal    Model 2 with a diagonal prior
hmm          the HMM, with jumps         fertility   the HMM with fertilities, by Gibbs sampling
symmetrize   combine two directions
word_model   a trained HMM, for any text             align   align a text, the whole process
learn        from a corpus to its links              watch   show how Model 1 learns
"""
