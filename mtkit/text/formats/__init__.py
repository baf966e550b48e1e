"""Bilingual files: one file that holds both languages.

A reader yields the units of a file, ``{language: text}`` each. A ``Choice`` takes the two wanted
languages from each unit.

In reading order: ``bilingual`` (the format and both sides of a file), ``choice`` (the languages to
take), ``codes`` (language codes), then the readers: ``tsv``, ``jsonl``, ``markup`` (XML as a
stream, without its dangerous features), ``tmx``, ``xliff``, ``po``. ``tbx`` reads terms for
glossaries.
"""
