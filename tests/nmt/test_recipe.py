"""Presets: the choice by text size and budget, and changed settings."""

from __future__ import annotations

from dataclasses import replace

from mtkit.nmt.recipe import FEW_BELOW, PRESETS, SHORT_BELOW, TINY_BELOW, preset, suited


def test_the_preset_depends_on_pairs_and_epochs_in_the_budget() -> None:
    assert suited(1) == suited(TINY_BELOW - 1) == suited(TINY_BELOW - 1, passes=1) == "tiny"
    assert suited(TINY_BELOW) == suited(FEW_BELOW - 1) == suited(FEW_BELOW - 1, passes=1) == "few"
    assert suited(FEW_BELOW) == suited(10**7) == suited(FEW_BELOW, SHORT_BELOW) == "small"
    assert suited(FEW_BELOW, SHORT_BELOW - 0.1) == suited(10**7, 0.1) == "short"


def test_presets_have_their_name_and_changes() -> None:
    for name in PRESETS:
        assert preset(name) == PRESETS[name]
        assert PRESETS[name].preset == name
    changed = preset("quick", cell="gru", clip=2.0, minutes=None)
    assert changed == replace(PRESETS["quick"], cell="gru", clip=2.0)


def test_epochs_without_minutes_set_no_time_limit() -> None:
    assert preset("small", epochs=7).minutes == 0
    assert preset("small", epochs=7, minutes=5.0).minutes == 5
    assert preset("small", updates=7).minutes == PRESETS["small"].minutes


def test_a_plain_rnn_trains_at_an_eighth_of_the_learning_rate() -> None:
    assert preset("quick", cell="rnn").learning_rate == PRESETS["quick"].learning_rate / 8
    assert preset("quick", cell="rnn", learning_rate=0.5).learning_rate == 0.5
