"""Combination of translators: choose among the candidates of all, sentence by sentence.

    ŷ = argmax_{y ∈ Y(x)} Σ_k λ_k f_k(x, y)        Y(x) = ∪_p L_p(x),  L_p the n-best list of part p

Y(x) also contains crossings of candidates. f_k: every part's scores of every candidate y, and how
far y agrees with each part's list (Marie & Fujita 2018, "A smorgasbord of features to combine
phrase-based and neural machine translation"). λ is tuned on a dev set.

In reading order: ``parts`` (the systems, as files), ``agreement`` (of a candidate with a list),
``crossing`` (new candidates from two), ``pool`` (candidates and their features), ``system`` (the
translator), ``tune`` (the weights), ``combine`` (from systems to a combination on disk).
"""
