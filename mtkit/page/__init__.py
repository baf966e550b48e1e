"""What every HTML page and terminal report is made of.

In reading order: ``chart`` (lines as coordinates of an SVG), ``tables`` (grids, on a terminal and
in HTML), ``findings`` (charts, tables and sentences as one page); the templates ``*.html.j2``.
"""
