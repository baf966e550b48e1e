"""Recurrent language models, and how far back their gradients reach.

Letters: x_t input, h_t hidden state, c_t cell, s_t the whole state ([h; c] of an LSTM), U the
recurrent matrix, L_t the loss at word t, k words back.

In reading order: ``cells`` (their equations), ``language_model``, ``gradients`` (their norms by
distance and depth), ``probe`` (models trained alike, and what is measured in each).
"""
