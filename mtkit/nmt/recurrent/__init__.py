"""Recurrent language models, and how far back their gradients reach.

Letters: x_t input, h_t hidden state, c_t cell, s_t the whole state ([h; c] of an LSTM), U the
recurrent matrix, L_t the loss at word t, k the distance in words.

In reading order: ``cells`` (their equations), ``language_model``, ``gradients`` (norms by distance
and depth), ``probe`` (trains models under the same conditions and measures each).
"""
