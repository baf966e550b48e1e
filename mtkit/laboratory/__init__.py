"""How far back recurrent and n-gram language models of the user's text reach, measured.

In reading order: ``recurrent_lm`` (a recurrent model as a system), ``findings`` (figures with
intervals), ``study`` (what is trained and measured), ``files`` (models on disk), ``experiment``
(from a text to a study), ``page`` (its tables, charts and sentences); ``watch_page`` (how IBM
Model 1 learns).
"""
