"""Documents: the translation comes back in the file it came in, and nothing else changes.

A document is read by its bytes' places, so that translations are spliced in. A segment is a row of
texts and codes (tags, placeholders, line breaks); plain text is what the translator gets, and the
links (s, t) of source and target tokens tell where the codes return.

In reading order: ``encoding`` (bytes as text, splicing), ``markup`` (XML by its places), ``codes``
(what is not language), ``lines`` (plain text for the translator), ``projection`` (where codes go),
``returning`` (codes back in a translation), ``segments`` (all of a document), ``document`` (what
formats have in common), ``xliff``, ``po``, ``fill`` (a file by its name).
"""
