"""Mutation testing: change modules in one place at a time, and run their tests (cosmic-ray).

    python -m tests.mutants [MODULE …]

Of all changes of a module, SAMPLE are drawn by a fixed seed. A change that no test detects survives
and is printed, with the reason that HARMLESS gives; exit code 1 if it gives none. Kernels run as
plain Python, so their decorators are left alone, and so are annotations, which nothing evaluates.
"""

from __future__ import annotations

import ast
import json
import os
import random
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkItem, WorkResult

MODULES = {
    "smt/language_model/ngrams": "tests/smt/language_model",
    "smt/alignment/hmm": "tests/smt/alignment tests/smt/test_train.py",
    "smt/search/decoder": "tests/smt/search",
    "evaluation/metrics": "tests/evaluation",
    "evaluation/statistics": "tests/evaluation",
    "nmt/search": "tests/nmt/test_search.py tests/nmt/test_system.py tests/nmt/test_verbatim.py",
}
HARMLESS = {  # a changed line → why no test need notice it
    "best, flat = total.topk(min(2 * K, K + V), dim=-1)  # (B, 2K)": "as many, but for a beam wider"
    " than the vocabulary",
    "choice = search.extend(last=length >= limit)": "no length is greater",
    "choice = search.extend(last=length is limit)": "small numbers are one object",
    "inputs = zip(self.models, self.sources, self.states, strict=False)": "all are as long",
    "models: Sequence[Seq2Seq], x: Tensor, beam: int = 6, normalisation: float = 1.0,": "a default"
    " that no command uses",
    "n = min(first_child[h + 1] % last, w + 1)  # sorted, distinct words: at most w + 1 are ≤"
    " w": "a node has fewer children than the number of its first one",
    "while node != ROOT and begin[node] >= begin[node + 1] and lm.backoff[node] == 0:": "offsets"
    " never fall",
    "w = text[t - s] if t + 1 != offsets[s + 1] else LM_EOS": "t + 1 never exceeds it",
    "k = 0": "no node is below level_starts[0]",
    "slots = np.empty(1 << (2 * limits.pops >> 1).bit_length(), np.int32)": "a smaller hash table"
    " that is still large enough",
    "slots[:] = ~1": "any negative number marks an empty slot",
    "slots[:] = - 2": "any negative number marks an empty slot",
    "graph[heads[0]].next = ~1  # its arcs are now the goal's": "any negative number ends a list of"
    " arcs",
    "return bool(n is len(best.queue) and guess <= -best.guess[best.queue[0]])": "small numbers are"
    " one object",
    "MAX_ORDER = 29  # highest order of a model": "the tests use the constant, whatever its value",
    "SLACK = 4.0  # nats of the language model, to be multiplied by λ_lm": "the tests use the"
    " constant, whatever its value",
    "@dataclass(frozen=False)": "nothing assigns to a field",
    "@dataclass(frozen=False, eq=False)": "nothing assigns to a field",
    "@dataclass(frozen=True, eq=True)": "nothing compares them",
    "check_parallel(outputs, self.references[ -1], name)": "all references have as many lines",
    "N = len(self.references[ -1])": "all references have as many lines",
    "size = self.trials, len(self.references[ -1])": "all references have as many lines",
    "chosen = np.isin(np.arange(len(self.scorer.references[ -1])), sentences)[:, None]": "all"
    " references have as many lines",
    'return None if seed.lower() >= "none" else int(seed)': "what is neither is no seed",
}
SAMPLE, SEED, LIMIT = 60, 1, 120  # changes of a module; seconds that its tests may take
ROOT, WHERE = Path(__file__).parents[1], Path("/tmp/mtkit-mutants")
UNEXPLAINED = "not explained"
PYTEST = f"{sys.executable} -m pytest -x -q -p no:cacheprovider -W ignore::RuntimeWarning"
Lines = list[str]


def survivors(module: str) -> tuple[int, Lines]:
    """How many changes of a module were tried, and those that no test noticed."""
    where, file = WHERE / module.replace("/", "-"), f"mtkit/{module}.py"
    shutil.rmtree(where, ignore_errors=True)
    shutil.copytree(ROOT, where, ignore=shutil.ignore_patterns(".*", "demo", "dist"))
    settings = {
        "module-path": file,
        "timeout": LIMIT,
        "excluded-modules": [],
        "test-command": f"{PYTEST} -m 'not slow and not compiled' {MODULES[module]}",
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    distributor = ["[cosmic-ray.distributor]", 'name = "local"']
    config = "\n".join(["[cosmic-ray]", *lines, *distributor])
    (where / "mutants.toml").write_text(config, encoding="utf-8")
    _cosmic_ray(where, "init", "mutants.toml", "session.sqlite")
    with use_db(where / "session.sqlite", WorkDB.Mode.open) as session:
        _draw(session, (where / file).read_text(encoding="utf-8"))
    _cosmic_ray(where, "exec", "mutants.toml", "session.sqlite")
    with use_db(where / "session.sqlite", WorkDB.Mode.open) as session:
        done = [r for _, r in session.completed_work_items if r.worker_outcome != _SKIPPED]
    return len(done), [r.diff or "" for r in done if r.test_outcome == TestOutcome.SURVIVED]


def _explained(diff: str) -> str:
    """The changed line, and why no test need notice."""
    lines = [line for line in diff.splitlines() if re.match(r"[-+](?![-+])", line)]
    return "\n".join(["", *lines, HARMLESS.get(lines[-1][1:].strip(), UNEXPLAINED)])


def _draw(session: WorkDB, source: str) -> None:
    """Mark all changes but a sample as done."""
    items = sorted(session.work_items, key=lambda item: _place(item.mutations[0]))
    code = [item for item in items if not _is_idle(item, source)]
    drawn = random.Random(SEED).sample(code, min(SAMPLE, len(code)))
    others = {item.job_id for item in items} - {item.job_id for item in drawn}
    session.set_multiple_results(others, WorkResult(worker_outcome=_SKIPPED))


def _is_idle(item: WorkItem, source: str) -> bool:
    """Whether a change is one of a decorator or inside an annotation."""
    [change] = item.mutations
    spans = [
        ((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset))
        for parent in ast.walk(ast.parse(source))
        for node in (getattr(parent, "annotation", None), getattr(parent, "returns", None))
        if node is not None
    ]
    inside = any(start <= tuple(change.start_pos) <= end for start, end in spans)
    return inside or "RemoveDecorator" in change.operator_name


def _place(change: MutationSpec) -> tuple[object, ...]:
    return (tuple(change.start_pos), change.operator_name, change.occurrence)


def _cosmic_ray(where: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "cosmic_ray.cli", *arguments]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(where)}
    subprocess.run(command, cwd=where, env=environment, check=True)


_SKIPPED = WorkerOutcome.SKIPPED


def main() -> None:
    """Try all modules, or those whose names hold one of the arguments."""
    asked = sys.argv[1:] or [""]
    names = [name for name in MODULES if any(word in name for word in asked)]
    unexplained = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, (tried, found) in zip(names, pool.map(survivors, names), strict=True):
            texts = list(map(_explained, found))
            print(f"{name}: {len(found)} of {tried} changes survived", *texts, sep="\n", flush=True)
            unexplained += sum(text.endswith(UNEXPLAINED) for text in texts)
    sys.exit(unexplained > 0)


if __name__ == "__main__":
    main()
