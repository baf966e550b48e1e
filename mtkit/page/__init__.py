"""Components of HTML pages and terminal reports.

Modules in reading order: ``chart`` (line charts as SVG coordinates), ``mathml`` (equations),
``tables`` (grids, on a terminal and in HTML), ``findings`` (charts, tables and sentences as one
page). Templates: ``page`` (the frame of all pages, with style and script), ``parts`` (charts and
tables), and one or more for each command.
"""
