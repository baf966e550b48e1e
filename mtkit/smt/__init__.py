"""The statistical half: argmax_y Σ_k λ_k f_k(x, y), of which P(x|y) P(y) is a special case.

alignment        the word of x that each word of y translates
phrases          the phrase table: P(x|y) and P(y|x) of phrases, their reordering and context
language_model   P(y)
search           the best translation y of a sentence x
tuning           the weights λ
moses            Moses models: import and export

flat     sentences as flat arrays    kernels   compiled functions       warm_up   compile kernels
train    corpus → models             system    models → translations    reasons   explanations
"""
