"""JSON, arrays and dataclasses from untrusted files.

Every error is an InputError of one line that names the file.
"""

from __future__ import annotations

import json
import math
import threading
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
MAX_DEPTH = 20  # levels of JSON
MAX_WEIGHT = 1_000_000  # absolute value of a weight
LONGEST_LINE = 1 << 24  # bytes
LARGEST_TEXT = 1 << 30  # characters of a file that is read as a whole
BLOCK = 1 << 17  # bytes
MAX_RATIO, SMALL = 100, 1 << 24  # largest ratio of unpacked to packed size; bytes always allowed
# NumPy parses a header by ``ast.literal_eval``, which can raise SystemError in CPython 3.11 if two
# threads call it at once.
HEADER = threading.Lock()
NPY_MAGIC = b"\x93NUMPY\x01\x00"  # NumPy reads a header of 4 GB in later versions
Refusal = Callable[[Path, object], InputError]
MAX_MESSAGE = 200  # characters of a library's message that are quoted


def damaged(path: Path, reason: object) -> InputError:
    """Return the error for a damaged file of those that mtkit writes."""
    message = " ".join(str(reason).split()) or type(reason).__name__
    return InputError(
        f"{path}: damaged: {message[:MAX_MESSAGE]}; download the model again, or train it again"
    )


def unfit(path: Path, reason: object) -> InputError:
    """Return the error for an invalid file that a user may have written."""
    return InputError(f"{path}: {reason}")


def missing(path: Path | str) -> InputError:
    """Return the error for a missing file of a model."""
    return InputError(f"{path}: missing; download the model again, or train it again")


def unpacked(path: Path) -> Iterator[bytes]:
    """Yield the lines, with ``\\n``, of a plain or packed (``.gz``, ``.xz``, ``.zst``) file.

    Raises InputError as ``blocks`` does, and for a line of more than ``LONGEST_LINE`` bytes.
    """
    lines = blocks(path, lambda file: file.readline(LONGEST_LINE + 1))
    for number, line in enumerate(lines, 1):
        check_line(str(path), number, line)
        yield line


def blocks(
    path: Path, read: Callable[[BinaryIO], bytes] = lambda file: file.read(BLOCK)
) -> Iterator[bytes]:
    """Yield the blocks that ``read`` returns of a plain or packed file.

    Raises InputError if the file cannot be read, or unpacks to more than ``MAX_RATIO`` its size
    and ``SMALL`` bytes, as no text does.
    """
    packing, total = PACKED.get(path.suffix), 0
    try:
        limit = max(SMALL, MAX_RATIO * path.stat().st_size) if packing else math.inf
        with open_packed(path) as file:
            while block := read(file):
                total += len(block)
                if total > limit:
                    raise InputError(
                        f"{path}: unpacks to more than {MAX_RATIO} times its size; refused"
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
    """Return the text of a UTF-8 file. Raises InputError if it is missing, invalid or too large."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LARGEST_TEXT + 1)
    except FileNotFoundError:
        raise missing(path) from None
    except UnicodeDecodeError as error:
        raise refusal(path, error) from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    if len(text) > LARGEST_TEXT:
        raise refusal(path, f"more than {LARGEST_TEXT:,} characters")
    return text


def read_json(path: Path, kind: type[T], refusal: Refusal = damaged) -> T:
    """Return the value, of type ``kind`` (dict or list), of a JSON file.

    Raises InputError, worded by ``refusal``, if the file has no such value.
    """
    return parse_json(read_text(path, refusal), path, kind, refusal)


def parse_json(text: str, path: Path, kind: type[T], refusal: Refusal = damaged) -> T:
    """Return the value of a JSON ``text`` that was read from ``path``; see ``read_json``."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: too many digits, too
        raise refusal(path, f"not JSON ({error})") from None
    if not isinstance(value, kind):
        raise refusal(path, f"a {type(value).__name__} instead of a {kind.__name__}")
    if not _is_flat(value, MAX_DEPTH):
        raise refusal(path, f"nested more than {MAX_DEPTH} levels deep")
    if "\\ud" in text.lower():  # an escaped lone surrogate cannot be encoded again
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise refusal(path, error) from None
    return value


def _is_flat(value: object, levels: int) -> bool:
    """Return whether lists and objects are nested at most ``levels`` deep."""
    if not isinstance(value, dict | list):
        return True
    parts = value.values() if isinstance(value, dict) else value
    inner = [part for part in parts if isinstance(part, dict | list)]
    return not inner or (levels > 1 and all(_is_flat(part, levels - 1) for part in inner))


def read_array(path: Path, dtype: DTypeLike, dimensions: int = 1) -> NDArray[Any]:
    """Return a ``.npy`` file as a read-only, memory-mapped array.

    Raises InputError if the file is damaged, or has another dtype or number of dimensions.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(NPY_MAGIC)) != NPY_MAGIC:
                raise damaged(path, "not an array in version 1.0 of NumPy's format")
        with HEADER:
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
    return np.asarray(array)  # for kernels np.memmap is another type


def check_weight(path: Path, name: str, value: object) -> None:
    """Raise InputError unless a weight λ is a finite number of at most ``MAX_WEIGHT``."""
    if type(value) not in (int, float) or not abs(value) <= MAX_WEIGHT:  # type: ignore[arg-type]
        shown = (
            repr(value)[:40] if not isinstance(value, int) or value.bit_length() < 99 else "huge"
        )
        raise InputError(
            f"{path}: the weight {name} is {shown}, not a finite number up to {MAX_WEIGHT:,}"
        )


def as_fields(cls: type[T], data: Any, path: Path, refusal: Refusal = damaged) -> T:
    """Return a dataclass or named tuple of plain values from a JSON object.

    Raises InputError, worded by ``refusal``, for unknown or missing fields, and for values that
    have the wrong type or are not finite. path: the file that ``data`` was read from.
    """
    if not isinstance(data, Mapping):
        raise refusal(path, f"a {type(data).__name__} instead of an object")
    hints = _hints(cast(Any, cls))
    if unknown := [name for name in data if name not in hints]:
        raise refusal(path, f"{unknown[0]!r} is not a known field")
    if lacking := [name for name in _required_fields(cls) if name not in data]:
        raise refusal(path, f"{lacking[0]!r} is missing")
    for name, value in data.items():
        if not _has_type(value, hints[name]):
            raise refusal(path, f"{name} is {str(value)[:40]}")
    return cls(**data)


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _required_fields(cls: Any) -> list[str]:
    """Return the names of the fields without a default."""
    if issubclass(cls, tuple):
        return [name for name in cls._fields if name not in cls._field_defaults]
    return [f.name for f in fields(cls) if f.default is f.default_factory is MISSING]


def _has_type(value: Any, hint: Any) -> bool:
    """Return whether a JSON value has the type ``hint``; items of containers are not checked."""
    if hint is Any:
        return True
    origin = get_origin(hint)
    if origin is Literal:
        return value in get_args(hint)
    if origin in (Union, UnionType):
        return any(_has_type(value, part) for part in get_args(hint))
    if type(value) is int:
        return hint in (int, float) and abs(value) < 2**63
    if hint is float:
        return type(value) is float and math.isfinite(value)
    if hint in (int, bool, str, type(None)):
        return type(value) is hint
    return isinstance(value, origin or hint)
