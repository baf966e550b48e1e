"""What goes in: lines of text, word tokens, and words and subwords as integers.

Letters: x the source sentence, y the target sentence.

In reading order: ``lines`` (of text files), ``corpus`` (parallel text), ``formats`` (files of both
languages), ``catalog`` (public corpora by name), ``fetch`` (those corpora into the cache),
``repeats`` (lines that come again), ``held_out`` (dev and test where none are official),
``languages`` (what a file name says of its language), ``sanity`` (files that are no parallel text),
``tokenizer`` (lossless word tokens), ``vocabulary`` (words as integers), ``shards`` (a
text as integers on disk, in parts), ``subwords`` (byte-pair
encoding), ``pieces`` (lines that are too long to translate at once), ``terms`` (files of phrases
and their translations), ``stems`` (the beginnings of words), ``glossary`` (phrases and how the user
wants them translated).
"""
