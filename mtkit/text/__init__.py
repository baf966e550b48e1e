"""Text input: read it, check it, tokenise it and number its tokens.

Letters: x the source sentence, y the target sentence.

In reading order: ``lines`` (read text files), ``corpus`` (parallel text), ``formats`` (bilingual
files), ``catalog`` (public corpora by name), ``fetch`` (download them), ``repeats`` (duplicates),
``held_out`` (draw dev and test where none are official), ``languages`` (language codes in file
names), ``sanity`` (reject files that are not parallel text), ``tokenizer`` (lossless word tokens),
``vocabulary`` (words as integers), ``shards`` (a tokenised text on disk, in parts), ``subwords``
(byte-pair encoding), ``pieces`` (cut sentences that are too long to translate at once), ``terms``
(terminology files), ``stems`` (word stems), ``glossary`` (phrases with required translations).
"""
