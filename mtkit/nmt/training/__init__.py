"""Training a network on a corpus.

In reading order: ``update`` (state of a run, one update, clipping), ``plan`` (the number of
updates), ``train`` (the loop, validations), ``checkpoint`` (a run on disk), ``segmented`` (text on
disk as subwords, resampled every epoch), ``build`` (corpus to model directory; ``train_nmt``).
"""
