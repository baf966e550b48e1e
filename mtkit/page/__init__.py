"""What every HTML page and terminal report is made of.

In reading order: ``chart`` (lines as coordinates of an SVG), ``mathml`` (equations), ``tables``
(grids, on a terminal and in HTML), ``findings`` (charts, tables and sentences as one page); the
templates ``page`` (what all pages have, with its style and script), ``parts`` (charts and tables)
and those of each command.
"""
