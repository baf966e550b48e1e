from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pytest

from mtkit.errors import InputError
from mtkit.storage import reading
from mtkit.storage.reading import as_fields, check_weight, read_array, read_json, unpacked


class Plain(NamedTuple):
    size: int
    share: float = 0.5
    cell: Literal["lstm", "gru"] = "lstm"
    names: list[str] | None = None


@dataclass(frozen=True)
class Shape:
    size: int
    deep: bool = False


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[1, 2", "not JSON"),
        (b"\xff\xfe", "codec can't decode"),
        (b"[1]", "a list instead of a dict"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"", "not JSON"),
    ],
)
def test_invalid_json_is_a_one_line_error(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason) as caught:
        read_json(path, dict)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    for read in (lambda p: read_json(p, dict), lambda p: read_array(p, np.int32)):
        with pytest.raises(InputError, match="missing"):
            read(tmp_path / "none")


def hostile_arrays() -> dict[str, bytes]:
    magic = b"\x93NUMPY\x01\x00"

    def header(text: str) -> bytes:
        return magic + len(text).to_bytes(2, "little") + text.encode()

    huge = "{'descr': '<i4', 'fortran_order': False, 'shape': (%s,), }\n"
    return {
        "empty": b"",
        "no magic": b"text",
        "a pickle": b"\x80\x04K\x01.",
        "a zip": b"PK\x03\x04" + bytes(40),
        "cut in the header": header(huge % 3)[:20],
        "larger than the file": header(huge % 2**40),
        "too large for an index": header(huge % 2**70),
        "negative": header(huge % -1),
        "objects": header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n") + bytes(8),
        "nested": header("(" * 3000 + ")" * 3000),
        "no Python": header("{'descr': "),
        "code": header("__import__('os').abort()\n"),
        "no types": header("{'descr': 'x9', 'fortran_order': False, 'shape': (1,), }\n"),
    }


@pytest.mark.parametrize("what", hostile_arrays())
def test_invalid_arrays_are_refused(what: str, tmp_path: Path) -> None:
    path = tmp_path / "row.npy"
    path.write_bytes(hostile_arrays()[what])
    with pytest.raises(InputError, match=r"row\.npy: damaged"):
        read_array(path, np.int32)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(3, np.int64),
        np.zeros(3, ">i4"),
        np.zeros((3, 1), np.int32),
        np.asfortranarray(np.zeros((3, 2), np.int32)),
        np.zeros((), np.int32),
    ],
)
def test_wrong_type_or_shape_fails(array: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError, match="damaged"):
        read_array(tmp_path / "a.npy", np.int32, 2 if array.shape == (3, 2) else 1)


def test_arrays_and_empty_arrays_are_read(tmp_path: Path) -> None:
    for values in ([], [1, 2]):
        np.save(tmp_path / "a.npy", np.array(values, np.int32))
        array = read_array(tmp_path / "a.npy", np.int32)
        assert array.tolist() == values
        assert type(array) is np.ndarray


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([], "a list instead of an object"),
        ({}, "'size' is missing"),
        ({"size": 1, "evil": 2}, "'evil' is not a known field"),
        ({"size": True}, "size is True"),
        ({"size": 1.0}, "size is 1.0"),
        ({"size": 1, "share": "x"}, "share is x"),
        ({"size": 1, "share": float("nan")}, "share is nan"),
        ({"size": 1, "cell": "rnn"}, "cell is rnn"),
        ({"size": 1, "cell": ["lstm"]}, "cell is"),
        ({"size": 1, "names": {}}, "names is"),
    ],
)
def test_invalid_fields_are_refused(data: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        as_fields(Plain, data, Path("f"))


def test_fields_with_default_are_optional() -> None:
    assert as_fields(Plain, {"size": 3, "share": 1, "names": None}, Path()) == Plain(3, 1)
    assert as_fields(Shape, {"size": 3}, Path()) == Shape(3)
    with pytest.raises(InputError, match="'size' is missing"):
        as_fields(Shape, {"deep": True}, Path())


@pytest.mark.parametrize("value", [None, True, "1", float("nan"), float("inf"), 10**400, -(2**30)])
def test_infinite_or_huge_weights_are_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"the weight lm is .{1,40}, not a finite") as caught:
        check_weight(Path("w.json"), "lm", value)
    assert len(str(caught.value)) < 200
    check_weight(Path(), "lm", -3)


def test_gzip_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SMALL", 1 << 16)
    path = tmp_path / "train.en.gz"
    path.write_bytes(gzip.compress(b"0\n" * (reading.SMALL // 2 + 1)))
    with pytest.raises(InputError, match="unpacks to more than 100 times its size"):
        list(unpacked(path))
    path.write_bytes(gzip.compress(b"0\n" * (reading.SMALL // 2)))
    assert len(list(unpacked(path))) == reading.SMALL // 2


def test_overlong_lines_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_LINE", 10)
    (tmp_path / "a").write_bytes(b"short\n" + b"x" * 11)
    with pytest.raises(InputError, match="line 2: longer than 10 bytes"):
        list(unpacked(tmp_path / "a"))
    (tmp_path / "a").write_bytes(b"x" * 10)
    assert list(unpacked(tmp_path / "a")) == [b"x" * 10]


def test_json_of_a_list_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(["ü"]), encoding="utf-8")
    assert read_json(tmp_path / "a.json", list) == ["ü"]


def test_endless_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGEST_TEXT", 1 << 20)
    (tmp_path / "x.json").symlink_to("/dev/zero")
    with pytest.raises(InputError, match=r"x\.json: damaged: more than 1,048,576 characters"):
        read_json(tmp_path / "x.json", dict)


@pytest.mark.parametrize("version", [2, 3])
def test_an_array_with_a_huge_header_is_refused_unread(version: int, tmp_path: Path) -> None:
    with (tmp_path / "x.npy").open("wb") as file:  # a hole of the disk, which costs nothing
        file.write(b"\x93NUMPY" + bytes([version, 0]) + b"\xff" * 4)
        file.truncate(5 << 30)
    with pytest.raises(InputError, match="not an array in version 1"):
        read_array(tmp_path / "x.npy", "<i4")
