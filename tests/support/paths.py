"""Text that does not come with mtkit: where it may lie, and the mark that skips without it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("MTKIT_SHARED", ROOT.parent / "shared")) / "data"
MULTI30K = SHARED / "multi30k"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no {SHARED}: real text is absent")
