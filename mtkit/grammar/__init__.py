"""Sentence pairs from a grammar, as many and with as distant dependencies as asked for."""
