"""The neural half: P(y|x) by a recurrent encoder-decoder. The only part of mtkit that needs torch.

Letters: x, y subword ids of source and target; I, T their lengths, ``</s>`` included; B sentences
in a batch, K hypotheses each; E, D sizes of embeddings and states; V pieces of the vocabulary.

In reading order: ``recipe`` (what can be chosen), ``data`` (batches), ``model`` (the network),
``prefixes`` (the probabilities of given translations), ``loss``, ``search`` (beam search),
``forced`` (what the network expects at each place of a given translation), ``verbatim`` (numbers
and URLs that it lost), ``encode`` (sentence vectors), ``parallel`` (devices, threads, processes),
``system`` (all of it as a translator); ``recurrent``, ``training``.
"""
