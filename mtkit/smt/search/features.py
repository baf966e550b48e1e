"""The features of the log-linear model, score = Σ_k λ_k f_k: their names, order and weights.

All code that weights features (options, decoder, n-best lists, tuning, files) uses this order. A
kernel finds a feature by the constants of this module. The kinds of f_k are

    log-probability   ln P ≤ 0 of a phrase pair or a word; a larger λ gives it more influence
    count             of phrases, words, unknown words: λ > 0 rewards, λ < 0 penalises
    penalty           − Σ |start of a phrase − end of the last|, the source words jumped over
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from mtkit.errors import InputError
from mtkit.storage.reading import check_weight, read_json, unfit

ORIENTATIONS = ("monotone", "swap", "discontinuous")


class Feature(NamedTuple):
    """A feature; ``default`` is its λ, see ``default_weights``."""

    name: str
    kind: Literal["log-probability", "count", "penalty"]
    default: float


FEATURES = (
    Feature("direct", "log-probability", 0.2),  # ln φ(t̄|s̄), see ``phrases.table``
    Feature("direct-lexical", "log-probability", 0.15),
    Feature("channel", "log-probability", 0.25),  # ln φ(s̄|t̄)
    Feature("channel-lexical", "log-probability", 0.3),
    *(
        Feature(f"{side}-{o}", "log-probability", 0.25)  # ln P(o|s̄, t̄), see ``phrases.reorder``
        for side in ("previous", "next")
        for o in ORIENTATIONS
    ),
    Feature("phrases", "count", 0.3),
    Feature("words", "count", 1.2),
    Feature("unknown", "count", -10.0),
    Feature("lm", "log-probability", 0.5),  # ln P(y)
    Feature("distortion", "penalty", 0.2),
    Feature("context", "log-probability", 0.35),  # see ``phrases.context``
)
NAMES = tuple(feature.name for feature in FEATURES)
PREVIOUS, NEXT = NAMES.index("previous-monotone"), NAMES.index("next-monotone")
PHRASES, WORDS, UNKNOWN, LM, DISTORTION, CONTEXT = range(NEXT + len(ORIENTATIONS), len(NAMES))
OF_PHRASES, OF_REORDERING = NAMES[:PREVIOUS], NAMES[PREVIOUS:PHRASES]

DEFAULT_WEIGHTS = {feature.name: feature.default for feature in FEATURES}
RATIO = 1.5  # added to the weight of ``words`` per unit of ln r
# Bayes' rule, argmax_y P(x|y) P(y), is a choice of weights.
CHANNEL = dict.fromkeys(NAMES, 0.0) | {"channel": 1.0, "unknown": -10.0}
NOISY_CHANNEL = CHANNEL | {"lm": 1.0}
PRESETS = ("default", "noisy-channel", "channel")


def default_weights(ratio: float = 1.0) -> dict[str, float]:
    """Return λ for text whose target has ``ratio`` r times as many tokens as its source.

    The defaults are rounded from weights tuned on the dev sets of three corpora jointly, and of any
    two of them, in both directions and on 1,000 to 29,000 pairs. Without a correction, output tends
    to be as long as its source in any language, so the reward for a word is λ_words + ``RATIO`` ·
    ln r.
    """
    return DEFAULT_WEIGHTS | {"words": DEFAULT_WEIGHTS["words"] + RATIO * math.log(ratio)}


def weights_named(name: str, ratio: float = 1.0) -> dict[str, float]:
    """Return the weights of one of ``PRESETS`` or of a file. Raises InputError if it is neither.

    ratio: see ``default_weights``.
    """
    presets = dict(zip(PRESETS, (default_weights(ratio), NOISY_CHANNEL, CHANNEL), strict=True))
    if name not in presets and not Path(name).is_file():
        raise InputError(f"--weights {name}: expected {', '.join(PRESETS)} or a file")
    return presets.get(name) or read_weights(Path(name))


def save_weights(weights: Mapping[str, float], directory: Path) -> None:
    """Write the weights as ``weights.json`` into a model directory."""
    text = json.dumps(weights, indent=2)
    (directory / "weights.json").write_text(text + "\n", encoding="utf-8")


def read_weights(path: Path) -> dict[str, float]:
    """Read weights from a JSON object. Raises InputError unless it has all of ``NAMES``."""
    return checked_weights(read_json(path, dict, unfit), path)


def checked_weights(weights: object, path: Path) -> dict[str, float]:
    """Return the ``weights`` read from ``path``. Raises InputError unless they fit ``NAMES``."""
    if not isinstance(weights, dict) or set(weights) != set(NAMES):
        raise InputError(f"{path}: expected exactly these weights: {', '.join(NAMES)}")
    for name, value in weights.items():
        check_weight(path, name, value)
    return {name: float(weights[name]) for name in NAMES}
