"""From a corpus to a trained network.

In reading order: ``run`` (one update, and where a training stands), ``train`` (the plan, updates,
validations), ``checkpoint`` (a training on disk), ``bpe_dropout`` (other subwords in every epoch),
``build`` (from a corpus to a model directory; ``train_nmt``).
"""
