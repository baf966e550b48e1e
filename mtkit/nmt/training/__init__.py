"""From a corpus to a trained network.

In reading order: ``update`` (one, clipping included; where a run stands), ``train`` (the plan,
validations), ``checkpoint`` (a run on disk), ``segmented`` (text on disk as subwords, other ones in
every epoch), ``build`` (from a corpus to a model directory; ``train_nmt``).
"""
