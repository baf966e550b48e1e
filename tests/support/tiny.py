"""``mtkit`` with a tiny network as preset quick, to be started as a process."""

from __future__ import annotations

import os
from dataclasses import replace

from mtkit.__main__ import main
from mtkit.nmt.recipe import PRESETS

TINY = replace(PRESETS["quick"], embedding=32, hidden=32, vocabulary=500, validations=2)
PLAIN = replace(TINY, dropout=0.0, word_dropout=0.0, source_dropout=0.0)

if __name__ == "__main__":
    PRESETS["quick"] = PLAIN if "MTKIT_PLAIN" in os.environ else TINY
    main()
