"""The weights λ that translate a dev set best (Och 2003; Cherry & Foster 2012).

bleu   sentences' statistics        lists   n-best lists        envelope   a line of weights
mert   minimum error rate           mira    small steps         tune       round by round
"""
