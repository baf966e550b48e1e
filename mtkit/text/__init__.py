"""What goes in: corpora, word tokens, vocabularies and subwords, long lines and glossaries."""
