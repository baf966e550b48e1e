"""The quality of parallel text: checks for damage, splits without leakage, and statistics.

In reading order: ``scripts``, ``side`` (a file with its errors), ``words`` (fast word ids);
``files`` (which a command names); ``finding`` (the kinds of findings); the checks ``characters``,
``languages``, ``lengths``, ``slip``, ``parallel``; ``coverage`` (out-of-vocabulary rates);
``check`` (all checks), ``clean`` (the pairs that remain), ``report``; ``split``; ``stats`` and
``stats_report``.
"""
