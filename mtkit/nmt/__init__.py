"""The neural translator: P(y|x) by a recurrent encoder-decoder. Only this package imports torch.

Letters: x, y subword ids of source and target; I, T their lengths, ``</s>`` included; B sentences
in a batch, K hypotheses of each; E, D sizes of embeddings and states; V vocabulary size.

In reading order: ``recipe`` (configuration and presets), ``data`` (batches), ``model`` (the
network), ``prefixes`` (log-probabilities of given translations), ``loss``, ``search`` (beam
search), ``forced`` (predictions along a given translation), ``verbatim`` (restores lost numbers and
URLs), ``encode`` (sentence vectors), ``parallel`` (devices, threads, processes), ``system`` (the
translator); ``recurrent`` (language models), ``training``.
"""
