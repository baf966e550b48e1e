"""Recurrent cells by their equations, language models of them, gradients through them."""
