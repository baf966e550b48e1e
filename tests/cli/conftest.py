from __future__ import annotations

from pathlib import Path

import pytest

from mtkit.text.corpus import Corpus


@pytest.fixture(scope="session")
def project(
    smt_directory: Path, nmt_directory: Path, few: Corpus, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A directory with models/smt and models/nmt, and ``few`` as files."""
    where = tmp_path_factory.mktemp("project")
    (where / "models").mkdir()
    (where / "models/smt").symlink_to(smt_directory)
    (where / "models/nmt").symlink_to(nmt_directory)
    for name, split in (("train", few.train), ("test", few.test)):
        assert split is not None
        for language, lines in (("en", split.source), ("de", split.target)):
            (where / f"{name}.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return where
