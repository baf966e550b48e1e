"""Word alignment (Brown et al. 1993): P(f|e) = Σ_a P(f, a|e), and the best a.

Letters: e_1 … e_I the words given, f_1 … f_J the words explained, a_j the position that f_j comes
from, 0 the empty word.

places       where words meet: the sparse t(f|e) of a text or a shard, the M-step
direction    P(f|e) of a text in shards: t in parts, EM over all of it
ibm1         Model 1          diagonal    Model 2, near the diagonal
hmm          jumps            fertility   sampled, with fertilities
symmetrize   two directions become one
word_model   what is learnt, for any text        align   all of it
learn        from a corpus to its links          watch   Model 1 learning
"""
