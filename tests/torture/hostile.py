"""Models with accidental and deliberate damage.

Every file of a model is truncated, has single bits flipped, and gets hostile values: arrays get the
extremes of their type, JSON other values in each place. Each damaged model is tried

    as it is    `info --check` must report it, unless its content is the same
    resealed    with matching digests, as an attacker would: every command must refuse it in one
                line, or answer. Commands run in a child process, which a signal may kill. Kernels
                are compiled with bounds checks and report access outside an array

All choices depend on the seed.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import struct
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from typer.main import get_command

from mtkit.cli import app
from mtkit.errors import InputError
from mtkit.manifest import MANIFEST, Manifest, model_files
from tests.support.command import mtkit
from tests.torture.models import CHECKPOINT, INTERRUPTED, copy, memory

COMMAND = get_command(app)  # built once, not for each call
LIMIT = 20  # seconds a command may take
MEMORY = 6 << 30  # bytes that a command may allocate; all models here have less than 1 % of that
NETWORK = "lstm-1"  # one of the laboratory's networks, which are alike
SENTENCE = "Where is the next train to Berlin?"
TEXT = f"{SENTENCE}\nI would like to pay by card, please.\n".encode()
COMMANDS: dict[str, list[list[str]]] = {
    "translator": [
        ["translate", "--model", "M", "--n-best", "3"],
        ["perplexity", "M", "--test", "t.en", "t.de"],
        ["explain", SENTENCE, "--model", "M"], ["info", "M"],
    ],
    "combined": [
        ["translate", "--model", "M"], ["explain", SENTENCE, "--model", "M"], ["info", "M"],
    ],
    "alignment": [["align", "--model", "M", "--train", "t.en", "t.de"], ["info", "M"]],
    "laboratory": [["gradients", "--model", "M"], ["info", "M"], ["info", "M", "--check"]],
}  # fmt: skip
COMMANDS |= dict.fromkeys(("smt", "nmt", "moses"), COMMANDS["translator"])
COMMANDS["checkpoint"] = [[*INTERRUPTED, "--resume"]]
INTEGERS = [0, 1, -1, 2, 7, 8, 255, 2**15, 2**30, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63)]
FLOATS = [0.0, 1.0, -1.0, 1e30, -1e30, 3e38, 1e-45, np.nan, np.inf, -np.inf, -0.0, 88.0]
VALUES: list[Any] = [
    None, True, -1, 0, 2**31, 10**23, 10**400, 1e308, float("nan"), float("inf"), "", "x",
    "\ud800", "\x00", "../../etc", "x" * 10_000, [], {}, [[]] * 3, ["a", "a"], {"a": None},
]  # fmt: skip


class Spoilt(NamedTuple):
    """Damaged content of a file, and how it was damaged."""

    file: Path
    how: str
    content: bytes


class Outcome(NamedTuple):
    """fault: forbidden behaviour, or ""; loads: the model works; same: its answers stay."""

    fault: str
    loads: bool
    same: bool


# --- damage to a file


def spoilt(file: Path, content: bytes, counts: tuple[int, int, int], seed: int) -> Iterator[Spoilt]:
    """Yield truncations, flipped bits and hostile values, ``counts`` of each, by ``seed``."""
    rng = np.random.default_rng(seed)
    truncations, flips, chosen = counts
    size = len(content)
    for at in _some(rng, size, truncations):
        yield Spoilt(file, f"cut at {at}", content[:at])
    for at in _some(rng, size * 8, flips):
        turned = bytearray(content)
        turned[at // 8] ^= 1 << at % 8
        yield Spoilt(file, f"bit {at} turned", bytes(turned))
    ways = {".npy": _array_values, ".json": _json_values, ".safetensors": _tensor_values}
    if file.suffix in ways and content:
        yield from (
            Spoilt(file, how, other) for how, other in ways[file.suffix](content, chosen, rng)
        )


def _some(rng: np.random.Generator, size: int, n: int) -> list[int]:
    """Return at most n distinct places, with the first and the last."""
    if size <= n:
        return list(range(size))
    return sorted({0, size - 1, *rng.choice(size, n, replace=False).tolist()})


def _array_values(content: bytes, n: int, rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Yield extremes in the first, the last and a random place, then changes of the array."""
    start = 10 + struct.unpack("<H", content[8:10])[0]
    fields = eval(content[10:start], {}, {})
    dtype = np.dtype(fields["descr"])
    values = np.frombuffer(content[start:], dtype).copy()
    for value in FLOATS if dtype.kind == "f" else INTEGERS:
        for at in (
            {0, len(values) - 1, int(rng.integers(max(1, len(values))))} if len(values) else ()
        ):
            other = values.copy()
            with np.errstate(all="ignore"):
                other[at] = np.array(value).astype(dtype)
            yield f"[{at}] = {value}", content[:start] + other.tobytes()
    changes: dict[str, Callable[[Any], Any]] = {
        "all zero": np.zeros_like, "turned round": lambda a: a[::-1], "doubled": lambda a: a + a,
        "sorted": np.sort, "shuffled": rng.permutation, "one more": lambda a: a + dtype.type(1),
        "rolled": lambda a: np.roll(a, 1), "largest": lambda a: np.full_like(a, a.max(initial=0)),
    }  # fmt: skip
    for how, change in changes.items():
        with np.errstate(all="ignore"):
            yield how, content[:start] + change(values).astype(dtype).tobytes()
    for how, array in {
        "half as long": values[: len(values) // 2], "empty": values[:0],
        "twice as long": np.tile(values, 2), "int64": values.astype(np.int64),
        "float32": values.astype(np.float32), "a matrix": values.reshape(1, -1),
    }.items():  # fmt: skip
        yield how, _npy(array)
    huge = repr({"descr": fields["descr"], "fortran_order": False, "shape": (2**40,)})
    yield "a huge shape", content[:8] + struct.pack("<H", len(huge) + 1) + f"{huge}\n".encode()


def _npy(array: Any) -> bytes:
    from io import BytesIO

    file = BytesIO()
    np.save(file, array)
    return file.getvalue()


def _json_values(content: bytes, n: int, rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Yield JSON with each value, or n of many, replaced by each of VALUES or removed."""
    try:
        whole = json.loads(content)
    except ValueError:  # JSON lines, as in a log
        return
    yield "nested", b"[" * 100_000
    ways = list(_ways(whole))
    for way in [ways[i] for i in _some(rng, len(ways), n)]:
        for value in VALUES:
            yield f"{way} = {str(value)[:20]!r}", _encoded(_put(whole, way, value))
        yield f"without {way}", _encoded(_put(whole, way, _GONE))
    if isinstance(whole, dict):
        yield "one more", _encoded(whole | {"evil": 1})


_GONE = object()


def _ways(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths (keys and indexes) of values; of lists the first two and the last."""
    yield way
    if isinstance(value, dict):
        for key in value:
            yield from _ways(value[key], (*way, key))
    if isinstance(value, list):
        for k in sorted({0, 1, len(value) - 1} & set(range(len(value)))):
            yield from _ways(value[k], (*way, k))


def _put(whole: Any, way: tuple[Any, ...], value: Any) -> Any:
    """Return a copy with another value at ``way``."""
    if not way:
        return None if value is _GONE else value
    other = dict(whole) if isinstance(whole, dict) else list(whole)
    if len(way) == 1 and value is _GONE:
        del other[way[0]]
    else:
        other[way[0]] = _put(whole[way[0]], way[1:], value)
    return other


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def _tensor_values(content: bytes, n: int, rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Yield hostile headers, and hostile weights after a valid header."""
    size = int.from_bytes(content[:8], "little")
    header, body = json.loads(content[8 : 8 + size]), content[8 + size :]

    def built(other: Any, data: bytes = body) -> bytes:
        text = json.dumps(other).encode()
        return len(text).to_bytes(8, "little") + text + data

    for length in (0, 1, size - 1, size + 1, 2**32, 2**63, 2**64 - 1):
        yield f"a header of {length}", length.to_bytes(8, "little") + content[8:]
    for value in FLOATS:
        other = bytearray(body)
        at = 4 * int(rng.integers(len(body) // 4))
        other[at : at + 4] = np.float32(value).tobytes()
        yield f"a weight {value}", built(header, bytes(other))
    yield "weights × 1e30", built(header, (np.frombuffer(body, "<f4") * 1e30).tobytes())
    ways = list(_ways(header))
    for way in [ways[i] for i in _some(rng, len(ways), max(1, n // 4))]:
        for value in VALUES:
            other = _put(header, way, value)
            if other != header:
                yield f"{way} = {str(value)[:20]!r}", built(other)


# --- tests of damaged models


def checkpoint(
    made: Path, counts: tuple[int, int, int], seed: int
) -> tuple[Counter[str], list[str]]:
    """Damage the checkpoint of a training; `train-nmt --resume` must refuse it."""
    tally, faults = Counter[str](), list[str]()
    where = copy(made, memory() / "mtkit-torture-checkpoint")
    file = where / CHECKPOINT
    content = file.read_bytes()

    def attempt() -> list[tuple[str, Any]]:
        said = list[tuple[str, Any]]()
        tensors = _tensor_values(content, counts[2], np.random.default_rng(seed))
        for way in chain(
            spoilt(file, content, counts, seed),
            (Spoilt(file, how, other) for how, other in tensors),
        ):
            file.write_bytes(way.content)
            [answer] = _answers("checkpoint", where)
            said.append((way.how, "accepted" if answer and way.content != content else answer))
        return said

    for how, said in _forked(attempt):
        tally["tried"] += 1
        tally["refused"] += said is None
        if said is not None:
            faults.append(f"checkpoint: {how}: {said}")
    shutil.rmtree(where)
    return tally, faults


def torture(
    kind: str, model: Path, counts: tuple[int, int, int], seed: int, text: tuple[bytes, bytes]
) -> tuple[Counter[str], list[str]]:
    """Damage a model; return counts and faults."""
    tally, faults = Counter[str](), list[str]()
    where = memory() / f"mtkit-torture-{kind}"
    where.mkdir(parents=True, exist_ok=True)
    for name, lines in zip(("t.en", "t.de"), text, strict=True):
        (where / name).write_bytes(lines)
    target = copy(model, where / "M")
    rng = np.random.default_rng(seed)
    expected = _forked(lambda: _answers(kind, where))
    manifest = (target / MANIFEST).read_bytes()
    for file in model_files(target):
        if kind == "laboratory" and file.parent not in (target, target / NETWORK):
            continue
        content = file.read_bytes()
        ways = partial(spoilt, file, content, counts, int(rng.integers(2**32)))
        for how, outcome in _tried(kind, where, target, ways, expected):
            if outcome.fault:  # a child may have died before it restored the files
                file.write_bytes(content)
                (target / MANIFEST).write_bytes(manifest)
            tally["tried"] += 1
            tally["refused" if not outcome.loads else "answered"] += 1
            tally["other answers"] += outcome.loads and not outcome.same
            if outcome.fault:
                faults.append(f"{kind}/{file.relative_to(target)}: {how}: {outcome.fault}")
        file.write_bytes(content)
    shutil.rmtree(where)
    return tally, faults


def _tried(
    kind: str, where: Path, target: Path, ways: Callable[[], Iterator[Spoilt]], expected: Any
) -> Iterator[tuple[str, Outcome]]:
    """Yield damage and outcome; when a child process dies, the next one continues."""
    at, status = 0, 1
    while status:
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.close(read)
            _child(kind, where, target, islice(ways(), at, None), expected, write)
        os.close(write)
        with os.fdopen(read, "rb") as lines:
            done = [json.loads(line) for line in lines]
        _, status = os.waitpid(child, 0)
        for how, outcome in zip(done[::2], done[1::2], strict=False):
            yield how, Outcome(*outcome)
            at += 1
        if len(done) % 2:
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            fault = {0: "the bench failed", signal.SIGALRM: f"over {LIMIT} s"}
            yield done[-1], Outcome(fault.get(number, f"signal {number}"), False, False)
            at += 1
        elif status:
            raise SystemExit(f"{kind}: a child ended with {status} between two attempts")


def _child(
    kind: str, where: Path, target: Path, ways: Iterator[Spoilt], expected: Any, write: int
) -> None:
    """Try all damage; write a line before each attempt and its outcome after it."""
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        manifest = Manifest.read(target)
        manifests = (target / MANIFEST).read_bytes()
        for way in ways:
            signal.alarm(4 * LIMIT)
            os.write(write, json.dumps(way.how).encode() + b"\n")
            outcome = _try(kind, where, target, way, manifest, expected)
            os.write(write, json.dumps(outcome).encode() + b"\n")
            (target / MANIFEST).write_bytes(manifests)
        os._exit(0)
    finally:  # reached only by errors of this test
        traceback.print_exc()
        os._exit(1)


def _try(
    kind: str, where: Path, target: Path, way: Spoilt, manifest: Manifest, expected: Any
) -> Outcome:
    """Try one damaged file: as it is, then resealed."""
    before = way.file.read_bytes()
    new = way.file.with_name("new")  # mapped files keep their old content
    new.write_bytes(way.content)
    new.replace(way.file)
    try:
        now, is_manifest = _read(target), way.file.name == MANIFEST
        says_the_same = way.content == before or (is_manifest and now == manifest)
        fault = "" if says_the_same or _is_named(target) else "not named"
        if reseals := now if is_manifest else manifest:
            reseals.write(target)
        answers = _answers(kind, where)
    finally:
        new.write_bytes(before)
        new.replace(way.file)
    faults = [fault, *(answer for answer in answers if isinstance(answer, str))]
    loads = isinstance(answers[0], list)
    same = all(answer in (None, usual) for answer, usual in zip(answers, expected, strict=True))
    return Outcome("; ".join(filter(None, faults)), loads, same)


def _is_named(target: Path) -> bool:
    """Return whether `info --check` reports a change."""
    try:
        return bool(Manifest.read(target).mismatches(target, sample=None))
    except InputError:
        return True


def _read(target: Path) -> Manifest | None:
    try:
        return Manifest.read(target)
    except InputError:
        return None


def _answers(kind: str, where: Path) -> list[Any]:
    """Return the answer of each command: output, None if it refuses, or its fault as text."""
    answers = list[Any]()
    for command in COMMANDS[kind]:
        start = time.perf_counter()
        try:
            with mock.patch("mtkit.cli.app", COMMAND):
                done = mtkit(*command, "-q", cwd=where, stdin=TEXT, check=None)
        except Exception as error:
            answers.append(f"{command[0]}: {type(error).__name__}: {str(error)[:80]}")
            continue
        lines = done.stderr.decode(errors="replace").strip().split("\n")
        if time.perf_counter() - start > LIMIT:
            answers.append(f"{command[0]}: over {LIMIT} s")
        elif "memory" in lines[-1].lower():
            answers.append(f"{command[0]}: asked for more than {MEMORY >> 30} GiB")
        elif done.returncode in (1, 2) and len(lines) == 1 and lines[0].startswith("mtkit: "):
            answers.append(None)
        elif done.returncode:
            answers.append(f"{command[0]}: exit {done.returncode}, {lines[-1][:80]}")
        else:
            answers.append([done.stdout.decode(errors="replace")])
    return answers


def _forked(work: Callable[[], Any]) -> Any:
    """Return the result of ``work``, run in a child: this process stays without threads."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        with os.fdopen(write, "w") as file:
            json.dump(work(), file)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        result = json.load(file)
    os.waitpid(child, 0)
    return result
