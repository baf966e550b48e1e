from __future__ import annotations

from pathlib import Path

import pytest

from mtkit.errors import InputError
from mtkit.storage.digests import BLOCK, digests_of, mismatches


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (tmp_path / "lm").mkdir()
    paths = [tmp_path / "lm" / "large", tmp_path / "small", tmp_path / "empty"]
    for path, content in zip(paths, (bytes(2 * BLOCK + 1), b"text", b""), strict=True):
        path.write_bytes(content)
    return paths


def test_unchanged_files_match(files: list[Path], tmp_path: Path) -> None:
    kept = digests_of(tmp_path, files)
    assert list(kept) == ["lm/large", "small", "empty"]
    assert mismatches(tmp_path, kept, tmp_path) == {}


def test_changes_are_found(files: list[Path], tmp_path: Path) -> None:
    kept, large = digests_of(tmp_path, files), files[0]
    for at in (0, BLOCK, 2 * BLOCK):
        content = bytearray(large.read_bytes())
        content[at] ^= 1
        large.write_bytes(content)
        wrong = mismatches(tmp_path, kept, tmp_path, sample=None)
        assert wrong == {"lm/large": f"changed, somewhere in bytes {at:,} to {at + BLOCK:,}"}
        content[at] ^= 1
        large.write_bytes(content)


def test_size_and_presence_need_no_sample(files: list[Path], tmp_path: Path) -> None:
    kept = digests_of(tmp_path, files)
    files[0].write_bytes(b"short")
    files[1].unlink()
    assert mismatches(tmp_path, kept, tmp_path, sample=0) == {
        "lm/large": f"5 bytes instead of {2 * BLOCK + 1:,}",
        "small": "missing",
    }


def test_a_sample_reads_a_random_block(files: list[Path], tmp_path: Path) -> None:
    kept = digests_of(tmp_path, files)
    files[0].write_bytes(b"\1" + bytes(2 * BLOCK))
    found = sum(bool(mismatches(tmp_path, kept, tmp_path, sample=1)) for _ in range(200))
    assert 0 < found < 200  # the sampled block is at times another


@pytest.mark.parametrize("name", ["../x", "/etc/hostname", "lm/../../x"])
def test_files_outside_are_not_read(name: str, tmp_path: Path) -> None:
    wrong = mismatches(tmp_path, {name: {"bytes": 0, "blake2b": ""}}, tmp_path)
    assert wrong == {name: "not a file of the model"}


def test_invalid_digests_are_refused(tmp_path: Path) -> None:
    for value in (3, {}, {"bytes": "1", "blake2b": ""}, {"bytes": 1, "blake2b": None}):
        with pytest.raises(InputError, match="damaged"):
            mismatches(tmp_path, {"a": value}, tmp_path / "manifest.json")
    (tmp_path / "a").write_bytes(b"x")
    wrong = mismatches(tmp_path, {"a": {"bytes": 1, "blake2b": ""}}, tmp_path)
    assert wrong == {"a": "hashes of some blocks are missing"}
