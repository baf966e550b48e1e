"""The statistical half: argmax_y Σ_k λ_k f_k(x, y), of which P(x|y) P(y) is a special case.

alignment        which word of x each word of y comes from
phrases          P(x|y) of phrases, in both directions, and what goes with them
language_model   P(y)
search           the best y of a sentence x
tuning           the weights λ
moses            models of Moses, read and written

flat             arrays of sentences        kernels   compiled functions     warm_up   compiling
train            corpus → models            system    models → translations  reasons   why
"""
