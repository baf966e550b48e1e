"""Test data outside the repository: its directory, and a mark that skips tests without it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("MTKIT_SHARED", ROOT.parent / "shared")) / "data"
MULTI30K = SHARED / "multi30k"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no {SHARED}: real text is absent")
