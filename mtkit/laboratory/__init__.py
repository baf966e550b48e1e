"""Measure how much context recurrent and n-gram language models of the user's text use.

In reading order: ``recurrent_lm`` (a recurrent model as a system), ``findings`` (figures with
intervals), ``study`` (models and measurements), ``files`` (models on disk), ``experiment`` (from a
corpus to a study), ``page`` (tables, charts and verdicts); ``watch_page`` (how IBM Model 1 learns).
"""
