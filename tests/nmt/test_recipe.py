"""Presets, which of them suits a text and a budget, and what changes them."""

from __future__ import annotations

from dataclasses import replace

from mtkit.nmt.recipe import FEW_BELOW, PRESETS, SHORT_BELOW, TINY_BELOW, preset, suited


def test_what_suits_depends_on_the_pairs_and_on_what_the_budget_buys() -> None:
    assert suited(1) == suited(TINY_BELOW - 1) == suited(TINY_BELOW - 1, passes=1) == "tiny"
    assert suited(TINY_BELOW) == suited(FEW_BELOW - 1) == suited(FEW_BELOW - 1, passes=1) == "few"
    assert suited(FEW_BELOW) == suited(10**7) == suited(FEW_BELOW, SHORT_BELOW) == "small"
    assert suited(FEW_BELOW, SHORT_BELOW - 0.1) == suited(10**7, 0.1) == "short"


def test_every_preset_knows_its_name_and_its_changes() -> None:
    for name in PRESETS:
        assert preset(name) == PRESETS[name]
        assert PRESETS[name].preset == name
    changed = preset("quick", cell="gru", clip=2.0, minutes=None)
    assert changed == replace(PRESETS["quick"], cell="gru", clip=2.0)


def test_passes_without_minutes_are_a_budget_without_a_clock() -> None:
    assert preset("small", epochs=7).minutes == 0
    assert preset("small", epochs=7, minutes=5.0).minutes == 5
    assert preset("small", updates=7).minutes == PRESETS["small"].minutes


def test_a_plain_rnn_trains_at_an_eighth_of_the_learning_rate() -> None:
    assert preset("quick", cell="rnn").learning_rate == PRESETS["quick"].learning_rate / 8
    assert preset("quick", cell="rnn", learning_rate=0.5).learning_rate == 0.5
