"""Compile the kernels of training before it begins: once per machine, in two processes.

numba compiles a kernel for the types of its arguments, not for their values. So three tiny
sentences stand for any corpus. A process compiles on one core. So this process compiles what
estimates models and tunes weights, and a second one compiles the search, which the first then loads
from numba's cache. With one thread, one process compiles both.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from tempfile import TemporaryDirectory, TemporaryFile
from threading import Thread
from typing import IO, Any

import numpy as np
from numba.core import event

from mtkit.console import finished, note, progress
from mtkit.smt.alignment.align import ALIGNERS, align
from mtkit.smt.alignment.places import Places
from mtkit.smt.flat import Flat, read_only
from mtkit.smt.kernels import KERNELS, NOT_KEPT
from mtkit.smt.language_model.build import build as build_lm
from mtkit.smt.language_model.ngrams import LM_BOS, LM_EOS, LM_SPECIALS, LM_UNK, Lm, NgramModel
from mtkit.smt.phrases.build import build as build_phrases
from mtkit.smt.phrases.context import Lexicon
from mtkit.smt.phrases.context_train import build as learn_context
from mtkit.smt.phrases.table import PhraseTable, flaws
from mtkit.smt.search.features import DEFAULT_WEIGHTS, NAMES
from mtkit.smt.system import Models, SmtSystem
from mtkit.smt.tuning.bleu import bleu, merit, statistics, wer
from mtkit.smt.tuning.lists import Lists
from mtkit.smt.tuning.region import step
from mtkit.smt.tuning.tune import TUNERS, optimise
from mtkit.storage.stages import Stages
from mtkit.text import shards
from mtkit.text.tokenizer import WordTokenizer
from mtkit.text.vocabulary import Vocabulary

SOURCE = [["a", "b", "c"], ["b", "a"], ["c", "d"]]
TARGET = [["A", "B", "C"], ["B", "A"], ["C", "D"]]
# The modules whose kernels run in every estimation and every search.
ESTIMATION = {
    "flat", "places", "symmetrize", "extract", "pairs", "lexical", "table", "reorder", "context",
    "context_train", "counts", "estimate", "build",
}  # fmt: skip
SEARCH = {"ngrams", "options", "decoder", "hypothesis", "nbest", "heap", "bleu", "lists"}


def compile_kernels(aligners: Sequence[str], tuner: str | None, threads: int = 2) -> None:
    """Compile what training with ``aligners`` and ``tuner`` needs.

    tuner: None means no tuning, hence no search. threads: 1 means no second process.
    """
    modules = ESTIMATION.union(*(ALIGNERS[aligner].modules for aligner in aligners))
    modules |= SEARCH | TUNERS[tuner] if tuner else set()
    total = sum(kernel.__module__.split(".")[-1] in modules for kernel in KERNELS)
    start, compiled = time.perf_counter(), set[str]()
    with progress() as bar:
        task = bar.add_task("loading kernels", total=total, status="")

        def count(kernel: str) -> None:
            compiled.add(kernel)
            bar.update(task, description="compiling kernels", completed=len(compiled))

        with _counted(count):
            Places.of(Flat.of([[1]]), Flat.of([[1]]), 2, 2)
            is_first_run = bool(compiled)  # if these were not in the cache, no kernel is
            in_parallel = bool(tuner) and is_first_run and threads > 1
            with _second_process(count) if in_parallel else nullcontext():
                _estimate(aligners)
                if tuner:
                    _tune(tuner)
            if tuner and not in_parallel:
                _search()
    if compiled:
        remark = "for this run; no cache is writable" if NOT_KEPT else "and cached for later runs"
        finished(f"{len(compiled)} kernels compiled, {remark}", start)


@contextmanager
def _counted(count: Callable[[str], None]) -> Iterator[None]:
    """Call ``count`` with the name of each kernel that is compiled."""

    class Listener(event.Listener):
        def on_start(self, event: Any) -> None:
            pass

        def on_end(self, event: Any) -> None:
            function = event.data["dispatcher"].py_func
            if function in KERNELS:  # numba also compiles functions of its own
                count(f"{function.__module__}.{function.__name__}")

    with event.install_listener("numba:compile", Listener()):
        yield


@contextmanager
def _second_process(count: Callable[[str], None]) -> Iterator[None]:
    """Compile the search in a second process while the block runs; at its end wait for both."""

    def read(lines: IO[str]) -> None:
        for line in lines:
            count(line.strip())

    command = [sys.executable, "-m", __name__]
    with (
        TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        Popen(command, stdin=DEVNULL, stdout=PIPE, stderr=errors, text=True) as process,  # noqa: S603
    ):
        assert process.stdout
        reader = Thread(target=read, args=(process.stdout,))
        reader.start()
        with ExitStack() as unless_done:
            unless_done.callback(process.kill)
            yield
            unless_done.pop_all()
        reader.join()
        if process.wait():
            errors.seek(0)
            reason = (errors.read().splitlines() or [f"exit code {process.returncode}"])[-1]
            note(f"  the decoder will be compiled on first use; compiling it now failed: {reason}")


def _estimate(aligners: Sequence[str]) -> None:
    """Run everything that estimates models."""
    with TemporaryDirectory(prefix="mtkit-") as name:
        root, stages = Path(name), Stages(Path(name))
        shards.write(root / "text", zip(SOURCE, TARGET, strict=True))
        text = shards.read(root / "text")
        for aligner in aligners:
            alignment = align(text, stages.within(aligner), aligner)
        (root / "words").mkdir()
        alignment.save_models(stages, root / "words")
        build_phrases(text, [alignment.links], stages.within("phrases"), root / "phrases")
        learn_context(text, alignment.links, stages.within("context"), root / "context")
        build_lm(text, stages.within("lm"), root / "lm", 3)


def _tune(tuner: str) -> None:
    """Find weights on an n-best list of one sentence with two hypotheses."""
    hypotheses, reference, begin = Flat.of([[1], [1, 2]]), Flat.of([[1, 2]]), np.array([0, 2])
    features, weights = np.zeros((2, len(NAMES)), np.float32), np.ones(len(NAMES))
    lists = Lists(begin, features, statistics(hypotheses, reference, begin))
    optimum = optimise(tuner, lists, weights, weights > 0, threads=1)
    total = lists.statistics.sum(0)
    bleu(total), merit(total), wer(total)
    step(lists, weights, optimum, 0.0)


def _search() -> None:
    """Translate with a system that has no phrases and no words."""
    source, target = Vocabulary.build(SOURCE), Vocabulary.build(TARGET)
    empty, begin = np.empty(0, np.int32), np.zeros(1, np.int64)
    masks, features = np.empty(0, np.uint64), np.empty((0, 4), np.float32)
    reordering = np.empty((0, 6), np.float32)
    table = PhraseTable(
        *read_only([empty, begin, empty, begin, masks, begin, features, reordering, masks])
    )
    flaws(table)
    # The language model has only the specials: the root, node 0, and a leaf for each.
    ids = np.array([0, LM_UNK, LM_BOS, LM_EOS], np.int32)
    first_child = np.array([1, 4, 4, 4, 4], np.int32)
    trie = Lm(ids, first_child, np.zeros_like(ids), *np.zeros((2, 4), np.float32))
    lm = NgramModel(1, [*LM_SPECIALS], trie)
    models = Models(source, target, table, lm, Lexicon.empty(len(source)))
    system = SmtSystem(models, WordTokenizer("none"), DEFAULT_WEIGHTS, threads=1)
    system.translate(["a b c"])


if __name__ == "__main__":
    with _counted(partial(print, flush=True)):
        _search()
