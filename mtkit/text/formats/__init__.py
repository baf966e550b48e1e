"""Bilingual files: one file that holds both languages.

A reader turns a file into units, ``{language: text}`` each, one after the other; a ``Choice`` takes
the two languages that are wanted from each unit.

In reading order: ``bilingual`` (which format, and both sides of a file), ``choice`` (which
languages), ``codes`` (what language codes mean), then the readers: ``tsv``, ``jsonl``, ``markup``
(XML as a stream, without what makes XML dangerous), ``tmx``, ``xliff``, ``po``. ``tbx`` is no text
but terms, for glossaries.
"""
