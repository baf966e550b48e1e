"""The output of ``translate`` for batches of lines, computed by this process or by workers.

Each batch is translated by itself. So the bytes do not depend on which process does it, nor on
whether some batches were written before an interruption.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice, zip_longest
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, Self

from mtkit.errors import InputError
from mtkit.models import load, load_with_glossary
from mtkit.storage.reading import read_json, unfit
from mtkit.storage.stages import Stages
from mtkit.system import Hypothesis, System
from mtkit.text.glossary import Compliance, Glossary

WINDOW = 16  # batches per worker in one stage
ROWS, MORE = "rows", "more.json"
LOCK = Lock()  # a system translates for one task at a time


class Request(NamedTuple):
    """Which models translate, and what is written for each line."""

    models: tuple[Path, ...]
    glossary: Path | None = None
    inflected: bool = False  # whether its entries match other forms of the same words
    n_best: int = 1
    as_json: bool = False


class Answer(NamedTuple):
    """The output for a batch. rows: bytes of whole lines. notes: messages for the user."""

    lines: int
    rows: bytes
    notes: list[str]
    compliance: Compliance

    def save(self, directory: Path) -> None:
        """Write the answer into ``directory``; see ``read``."""
        (directory / ROWS).write_bytes(self.rows)
        fields = {"lines": self.lines, "notes": self.notes, "compliance": vars(self.compliance)}
        (directory / MORE).write_text(json.dumps(fields, default=list), encoding="utf-8")  # of sets

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read what ``save`` wrote."""
        fields = read_json(directory / MORE, dict, unfit)
        rows = (directory / ROWS).read_bytes()
        return cls(fields["lines"], rows, fields["notes"], compliance_of(fields["compliance"]))


def compliance_of(saved: Mapping[str, Any]) -> Compliance:
    """Return a ``Compliance`` from its fields as read from JSON."""
    return Compliance(**{**saved, "matched": frozenset(map(tuple, saved.get("matched", ())))})


def open_system(request: Request) -> tuple[System, Glossary | None]:
    """Load the models and the glossary that they follow. Raises InputError if they cannot."""
    directory, *others = request.models
    if request.glossary is None:
        return load(directory, *others), None
    if others:
        raise InputError(
            "an ensemble cannot follow a glossary; name one statistical model or one combination"
        )
    return load_with_glossary(directory, request.glossary, request.inflected)


def answer(
    system: System, glossary: Glossary | None, request: Request, number: int, lines: Sequence[str]
) -> Answer:
    """Translate ``lines``, which follow ``number`` other lines of the text."""
    output, best, notes = [], [], []
    translated = system.translate(lines, request.n_best)
    for k, (source, hypotheses) in enumerate(zip(lines, translated, strict=True), number):
        output += rows(k, source, hypotheses, request.n_best, request.as_json)
        best.append(hypotheses[0].text)
        if (pieces := hypotheses[0].pieces) > 1:
            [words] = system.tokenize([source])
            notes.append(f"line {k + 1}: {len(words):,} words, translated in {pieces} pieces")
    compliance = Compliance()
    if glossary:  # measured on the output, not taken from the search
        compliance = glossary.compliance(system.tokenize(lines), system.tokenize(best))
    text = "".join(f"{row}\n" for row in output).encode("utf-8", "replace")
    return Answer(len(lines), text, notes, compliance)


def by_this_process(
    system: System, glossary: Glossary | None, request: Request, number: int,
    batches: Iterable[Sequence[str]],
) -> Iterator[Answer]:  # fmt: skip
    """Yield the answer to each batch; the first begins with line ``number``, from 0."""
    for lines in batches:
        yield answer(system, glossary, request, number, lines)
        number += len(lines)


def by_stages(
    stages: Stages, request: Request, mark: str, number: int, batches: Iterable[Sequence[str]],
    record: Callable[[], None],
) -> Iterator[Answer]:  # fmt: skip
    """Yield the answer to each batch, computed in tasks of stages.

    All batches but the last have equally many lines. mark: identifies the contents of all files
    that ``request`` names. Workers outlive a command and cache the models that they opened. record:
    records that all answers so far were written; the files of their stage are removed afterwards.
    """
    remaining = iter(batches)
    while window := list(islice(remaining, WINDOW * stages.workers)):
        begins = [number + k * len(window[0]) for k in range(len(window))]
        calls = [(request, mark, *call) for call in zip(begins, window, strict=True)]
        answers = stages.run(f"lines-{number}", _answer, calls)
        yield from map(Answer.read, answers)
        record()
        shutil.rmtree(answers.directory)
        number += sum(map(len, window))


def _answer(into: Path, request: Request, mark: str, number: int, lines: Sequence[str]) -> None:
    with LOCK:
        system, glossary = _open_once(request, mark)
        answer(system, glossary, request, number, lines).save(into)


@lru_cache(1)
def _open_once(request: Request, mark: str) -> tuple[System, Glossary | None]:
    system, glossary = open_system(request)
    system.limit_threads(1)
    return system, glossary


def rows(
    number: int, source: str, hypotheses: Sequence[Hypothesis], n_best: int, as_json: bool
) -> list[str]:
    """Return the output lines for line ``number``; none contains a line break."""
    if as_json:
        return [json.dumps(_as_object(source, hypotheses), ensure_ascii=False)]
    # A network may generate the escape of a line break (``text.tokenizer``), though it reads none.
    texts = [(h.text.replace("\n", " "), h.score) for h in hypotheses]
    if n_best > 1:
        return [f"{number} ||| {text} ||| {score:.4f}" for text, score in texts]
    return [texts[0][0]]


def _as_object(source: str, hypotheses: Sequence[Hypothesis]) -> dict[str, Any]:
    """Return the object that ``--json`` prints for one line."""
    names = ("text", "score", "features", "alignment", "segments", "places")
    objects, best = [], hypotheses[0]
    for h in hypotheses:  # only n-gram models have an ``order`` for each token
        tokens = [
            {"text": text, "logprob": p} | ({"order": order} if order else {})
            for (text, p), order in zip_longest(h.token_logprobs, h.orders)
        ]
        objects.append({name: getattr(h, name) for name in names} | {"tokens": tokens})
    return {
        "source": source, "translation": best.text, "score": best.score, "hypotheses": objects,
        "unknown": best.unknown, "pieces": best.pieces,
    }  # fmt: skip
