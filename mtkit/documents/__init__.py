"""Translate documents in their own file format; everything but the translations stays the same.

The readers keep the offsets of what they read, so that translations are spliced into the file. A
segment is a sequence of texts and codes (tags, placeholders, line breaks). The translator gets
plain text; the links (s, t) of source and target tokens show where the codes go in the translation.

In reading order: ``encoding`` (bytes as text, splicing), ``markup`` (XML elements with offsets),
``codes`` (what is not language), ``lines`` (plain text for the translator), ``projection``
(positions of codes), ``returning`` (codes in the translation), ``segments`` (all segments of a
document), ``document`` (what formats have in common), ``xliff``, ``po``, ``fill`` (a file by its
name).
"""
