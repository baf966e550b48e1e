"""The quality of parallel text: what is wrong with it, splits that do not leak, and its figures.

In reading order: ``scripts``, ``side`` (a file as it is), ``words`` (fast tokens as numbers);
``files`` (which a command names); ``finding`` (the kinds of findings); the checks ``characters``,
``languages``, ``lengths``, ``slip``, ``parallel``; ``coverage`` (out-of-vocabulary rates);
``check`` (all of them), ``clean`` (what is left), ``report``; ``split``; ``stats`` and
``stats_report``.
"""
