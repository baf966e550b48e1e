"""The weights λ that translate a dev set best (Och 2003; Cherry & Foster 2012).

bleu   statistics of sentences     lists   n-best lists     envelope   exact search on a line
mert   minimum error rate          mira    batch MIRA       region     length of the step
tune   the rounds of tuning
"""
