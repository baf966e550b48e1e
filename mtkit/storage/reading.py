"""JSON, arrays and dataclasses from files that anybody may have written.

Whatever is wrong with one is an InputError of one line, which names the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from tokenize import TokenError
from types import UnionType
from typing import (
    Any,
    BinaryIO,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mtkit.errors import InputError
from mtkit.storage.packing import BROKEN, PACKED, open_packed

T = TypeVar("T")
DEEPEST = 20  # levels of JSON
LARGEST = 1_000_000  # weight
LONGEST_LINE = 1 << 24  # bytes
BLOCK = 1 << 17  # bytes
MOST_TIMES, SMALL = 100, 1 << 24  # a packed file's size; bytes that it may unpack to in any case
Refusal = Callable[[Path, object], InputError]
LONGEST = 200  # characters of a library's reason that are repeated


def damaged(path: Path, reason: object) -> InputError:
    """What to raise for a file that is not as mtkit writes it."""
    said = " ".join(str(reason).split()) or type(reason).__name__
    return InputError(
        f"{path}: damaged: {said[:LONGEST]}; download the model again, or train it again"
    )


def unfit(path: Path, reason: object) -> InputError:
    """The same for a file that a user may have written."""
    return InputError(f"{path}: {reason}")


def missing(path: Path | str) -> InputError:
    """What to raise for a file that is not there."""
    return InputError(f"{path}: missing; the model must be trained again")


def unpacked(path: Path) -> Iterator[bytes]:
    """A plain or packed (``.gz``, ``.xz``, ``.zst``) file by lines, each with its ``\\n``.

    Raises InputError where ``blocks`` does, and for a line of more than ``LONGEST_LINE`` bytes.
    """
    lines = blocks(path, lambda file: file.readline(LONGEST_LINE + 1))
    for number, line in enumerate(lines, 1):
        check_line(str(path), number, line)
        yield line


def blocks(
    path: Path, read: Callable[[BinaryIO], bytes] = lambda file: file.read(BLOCK)
) -> Iterator[bytes]:
    """The same by what ``read`` takes at a time.

    Raises InputError where the file cannot be read, and for what unpacks to more than
    ``MOST_TIMES`` its size, as no text does.
    """
    packing, total = PACKED.get(path.suffix), 0
    try:
        most = max(SMALL, MOST_TIMES * path.stat().st_size) if packing else math.inf
        with open_packed(path) as file:
            while block := read(file):
                total += len(block)
                if total > most:
                    raise InputError(
                        f"{path}: unpacks to more than {MOST_TIMES} times its size; refused"
                    )
                yield block
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except BROKEN as error:
        raise InputError(f"{path}: not a complete {packing} file ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None


def check_line(name: str, number: int, line: bytes) -> None:
    """Raise InputError for a line of more than ``LONGEST_LINE`` bytes."""
    if len(line) > LONGEST_LINE:
        raise InputError(f"{name}: line {number}: longer than {LONGEST_LINE:,} bytes; split it")


def read_text(path: Path, refusal: Refusal = damaged) -> str:
    """A file in UTF-8. Raises InputError where it is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise missing(path) from None
    except UnicodeDecodeError as error:
        raise refusal(path, error) from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None


def read_json(path: Path, kind: type[T], refusal: Refusal = damaged) -> T:
    """A JSON file with a value of ``kind``: dict or list. Raises InputError where it has none, as
    ``refusal`` words it.
    """
    return parse_json(read_text(path, refusal), path, kind, refusal)


def parse_json(text: str, path: Path, kind: type[T], refusal: Refusal = damaged) -> T:
    """The same of its ``text``."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:  # a number of too many digits, too, is the first
        raise refusal(path, f"not JSON ({error})") from None
    if not isinstance(value, kind):
        raise refusal(path, f"a {type(value).__name__} instead of a {kind.__name__}")
    if not _is_flat(value, DEEPEST):
        raise refusal(path, f"nested more than {DEEPEST} levels deep")
    if "\\ud" in text.lower():  # half of a character may be escaped, though nobody can write it
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise refusal(path, error) from None
    return value


def _is_flat(value: object, levels: int) -> bool:
    """Whether lists and objects lie in one another at most so deep."""
    if not isinstance(value, dict | list):
        return True
    parts = value.values() if isinstance(value, dict) else value
    inner = [part for part in parts if isinstance(part, dict | list)]
    return not inner or (levels > 1 and all(_is_flat(part, levels - 1) for part in inner))


def read_array(path: Path, dtype: DTypeLike, dimensions: int = 1) -> NDArray[Any]:
    """A ``.npy`` file, memory-mapped and read-only: no page is read before it is needed.

    Raises InputError where it is none, or one of other numbers than ``dtype``.
    """
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, ValueError, EOFError, TypeError, SyntaxError, TokenError) as error:
        raise damaged(path, error) from None
    except (RecursionError, MemoryError, OverflowError, KeyError) as error:
        raise damaged(path, type(error).__name__) from None
    if array.dtype != dtype or array.ndim != dimensions:
        raise damaged(path, f"expected {dimensions}-dimensional {np.dtype(dtype)}")
    if not array.flags.c_contiguous:
        raise damaged(path, "Fortran order")
    return np.asarray(array)  # np.memmap would be another type for kernels


def check_weight(path: Path, name: str, value: object) -> None:
    """Raise InputError where a weight λ is no number of a usual size."""
    if type(value) not in (int, float) or not abs(value) <= LARGEST:  # type: ignore[arg-type]
        shown = (
            repr(value)[:40] if not isinstance(value, int) or value.bit_length() < 99 else "huge"
        )
        raise InputError(
            f"{path}: the weight {name} is {shown}, not a finite number up to {LARGEST:,}"
        )


def as_fields(cls: type[T], data: Any, path: Path, refusal: Refusal = damaged) -> T:
    """A dataclass or named tuple of plain values from a JSON object that was read from ``path``.

    Raises InputError for other names than its fields, and for values of other types or not finite,
    as ``refusal`` words it.
    """
    if not isinstance(data, Mapping):
        raise refusal(path, f"a {type(data).__name__} instead of an object")
    hints = _hints(cast(Any, cls))
    if unknown := [name for name in data if name not in hints]:
        raise refusal(path, f"{unknown[0]!r} is not a known field")
    if lacking := [name for name in _needed(cls) if name not in data]:
        raise refusal(path, f"{lacking[0]!r} is missing")
    for name, value in data.items():
        if not _is(value, hints[name]):
            raise refusal(path, f"{name} is {str(value)[:40]}")
    return cls(**data)


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _needed(cls: Any) -> list[str]:
    """The fields without a default."""
    if issubclass(cls, tuple):
        return [name for name in cls._fields if name not in cls._field_defaults]
    return [f.name for f in fields(cls) if f.default is f.default_factory is MISSING]


def _is(value: Any, hint: Any) -> bool:
    """Whether a JSON value is of a type; containers are looked at from outside."""
    if hint is Any:
        return True
    origin = get_origin(hint)
    if origin is Literal:
        return value in get_args(hint)
    if origin in (Union, UnionType):
        return any(_is(value, part) for part in get_args(hint))
    if type(value) is int:
        return hint in (int, float) and abs(value) < 2**63
    if hint is float:
        return type(value) is float and math.isfinite(value)
    if hint in (int, bool, str, type(None)):
        return type(value) is hint
    return isinstance(value, origin or hint)
