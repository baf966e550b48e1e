"""The features of the log-linear model, score = Σ_k λ_k f_k: their names, order and weights.

Everything that weighs features (options, decoder, n-best lists, tuning, files) takes them in this
order; a kernel finds one by the constants below. Of f_k

    log-probability   ln P ≤ 0, of a phrase pair or a word: more weight, more of a say
    count             of phrases, words, unknown words: λ > 0 rewards, λ < 0 is a penalty
    penalty           − Σ |start of a phrase − end of the last|, words jumped over
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Literal, NamedTuple

from mtkit.errors import InputError

ORIENTATIONS = ("monotone", "swap", "discontinuous")


class Feature(NamedTuple):
    """default: λ, what tuning on Multi30k's val found, English to German, rounded."""

    name: str
    kind: Literal["log-probability", "count", "penalty"]
    default: float


FEATURES = (
    Feature("direct", "log-probability", 0.3),  # ln φ(t̄|s̄), see ``phrases.table``
    Feature("direct-lexical", "log-probability", 0.1),
    Feature("channel", "log-probability", 0.1),  # ln φ(s̄|t̄)
    Feature("channel-lexical", "log-probability", 0.5),
    *(
        Feature(f"{side}-{o}", "log-probability", 0.15)  # ln P(o|s̄, t̄), see ``phrases.reorder``
        for side in ("previous", "next")
        for o in ORIENTATIONS
    ),
    Feature("phrases", "count", 0.0),
    Feature("words", "count", 0.9),
    Feature("unknown", "count", -10.0),
    Feature("lm", "log-probability", 0.5),  # ln P(y)
    Feature("distortion", "penalty", 0.25),
    Feature("context", "log-probability", 0.3),  # see ``phrases.context``
)
NAMES = tuple(feature.name for feature in FEATURES)
PREVIOUS, NEXT = NAMES.index("previous-monotone"), NAMES.index("next-monotone")
PHRASES, WORDS, UNKNOWN, LM, DISTORTION, CONTEXT = range(NEXT + len(ORIENTATIONS), len(NAMES))
OF_PHRASES, OF_REORDERING = NAMES[:PREVIOUS], NAMES[PREVIOUS:PHRASES]

# Bayes' rule, argmax_y P(x|y) P(y), is a choice of weights.
DEFAULT_WEIGHTS = {feature.name: feature.default for feature in FEATURES}
CHANNEL = dict.fromkeys(NAMES, 0.0) | {"channel": 1.0, "unknown": -10.0}
NOISY_CHANNEL = CHANNEL | {"lm": 1.0}
PRESETS = {"default": DEFAULT_WEIGHTS, "noisy-channel": NOISY_CHANNEL, "channel": CHANNEL}


def weights_named(name: str) -> dict[str, float]:
    """The weights of one of ``PRESETS`` or of a file. Raises InputError where it is neither."""
    if name not in PRESETS and not Path(name).is_file():
        raise InputError(f"--weights {name}: neither {' nor '.join(PRESETS)} nor a file")
    return PRESETS.get(name) or read_weights(Path(name))


def read_weights(path: Path) -> dict[str, float]:
    """Weights from a JSON object, all of ``NAMES``. Raises InputError otherwise."""
    try:
        weights = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    if not isinstance(weights, dict) or set(weights) != set(NAMES):
        raise InputError(f"{path}: must give exactly these weights: {', '.join(NAMES)}")
    for name, value in weights.items():
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"{path}: the weight {name!r} is {value!r}, not a finite number")
    return {name: float(weights[name]) for name in NAMES}
