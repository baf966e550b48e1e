"""Several translators as one, which chooses among all that they propose, sentence by sentence.

    ŷ = argmax_{y ∈ Y(x)} Σ_k λ_k f_k(x, y)        Y(x) = ∪_p L_p(x),  L_p the n-best list of part p

f_k: what every part thinks of every candidate y, its own or not, and how far y agrees with each
part's list (Marie & Fujita 2018, "A smorgasbord of features to combine phrase-based and neural
machine translation"). λ is tuned on a dev set.

In reading order: ``parts`` (the systems, as files), ``agreement`` (of a candidate with a list),
``pool`` (candidates and their features), ``system`` (the translator), ``combine`` (the weights).
"""
