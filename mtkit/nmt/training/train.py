"""The training loop: updates, validations, early stopping, recovery from divergence.

The number of updates is fixed before (see ``plan``), so that everything here depends on counts and
seeds only. Validations come at equal distances. The averaged weights with the lowest dev perplexity
are the result; `patience` validations without improvement end the run. An update whose gradient is
not finite is skipped; several in a row return the run to its last checkpoint. A dev loss that is
not finite ends the run with the best weights so far.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mtkit.console import clock, note, progress
from mtkit.errors import WorkError
from mtkit.evaluation.metrics import bleu
from mtkit.nmt import parallel
from mtkit.nmt.data import batch_rows
from mtkit.nmt.model import Seq2Seq
from mtkit.nmt.search import beam_search
from mtkit.nmt.training.update import Run
from mtkit.text.vocabulary import EOS

CHECKPOINT_INTERVAL = 1000  # updates at most between two checkpoints
CHECK_INTERVAL = 10  # updates between two checks for skipped updates
MAX_SKIPPED = 5  # skipped updates in a row that return the run to its last checkpoint
MAX_HALVINGS = 8  # how often that may happen; each halves the learning rate
BLEU_SENTENCES = 200  # dev sentences translated at each validation
# Printed above the validations; at most 62 columns.
LEGEND = (
    "  a line per validation; * lowest dev perplexity so far",
    f"  BLEU: of greedy translations of the first {BLEU_SENTENCES} dev sentences",
    "  grad: median gradient norm; clip: updates that were clipped",
    "  update    loss   dev ppl    BLEU   grad  clip  tok/s    left",
)


def train(run: Run, log: Callable[[str], None] = note) -> Seq2Seq:
    """Train until the planned updates or the patience end; return the best averaged weights.

    The run continues from its current state. The network is returned in eval mode. Raises WorkError
    if gradients stay non-finite at the lowest learning rate, or the first dev loss is not finite.
    """
    start, first = time.perf_counter(), run.update
    if not first:
        run.keep()
    total = run.config.updates
    interval = max(1, total // run.config.validations)
    for line in LEGEND:
        log(line)
    with progress() as bar:
        task = bar.add_task("training", total=total, completed=run.update, status="")
        while run.update < total and run.stale < run.config.patience:
            stop = min(total, (run.update // interval + 1) * interval)
            entry = _update_until(run, stop, lambda: bar.update(task, completed=run.update), log)
            dev, better = run.validate()
            run.stale = 0 if better else run.stale + 1
            scores = _dev_bleu(run, entry, log) if math.isfinite(dev) else {}
            entry |= {"dev_perplexity": dev, **scores}
            run.history.append(entry)
            remaining = (time.perf_counter() - start) / (run.update - first) * (total - run.update)
            log(_line(entry, better, remaining))
            if not math.isfinite(dev):
                _report_divergence(run, dev, log)
                break
            run.keep()
    run.average.load_state_dict(run.best_weights)
    return run.average.eval()


def _report_divergence(run: Run, dev: float, log: Callable[[str], None]) -> None:
    """Report a dev loss that is not finite. Raises WorkError if no validation before it was."""
    best, update = run.best
    error = f"the dev loss is {dev} at update {run.update}"
    if not update:
        raise WorkError(
            f"{error}, the first validation, so that no weights are usable; check the training and "
            "dev text for broken lines, or lower --clip"
        )
    log(f"{error}: training ends with the weights of update {update}, dev perplexity {best:.2f}")


def _update_until(
    run: Run, stop: int, on_update: Callable[[], None], log: Callable[[str], None]
) -> dict[str, float]:
    """Update until ``stop``; return the measurements of these updates."""
    steps: list[tuple[Tensor, Tensor]] = []
    tokens, start = 0, time.perf_counter()
    while run.update < stop:
        batch = run.next_batch()
        tokens += len(batch.real)
        steps.append(run.step(batch, run.config.updates))
        if run.update % CHECK_INTERVAL == 0 and run.in_a_row >= MAX_SKIPPED:
            _roll_back(run, log)
        elif run.update % CHECKPOINT_INTERVAL == 0:
            run.keep()
        on_update()
    loss, gradient = (_finite(values) for values in zip(*steps, strict=True))
    clip = run.config.clip or math.inf
    return {
        "update": run.update,
        "loss": loss.mean().item(),
        "gradient_norm": gradient.median().item(),
        "clipped": (gradient > clip).float().mean().item(),
        "skipped": run.skipped.item(),
        "tokens_per_second": tokens / (time.perf_counter() - start),
    }


def _finite(values: Sequence[Tensor]) -> Tensor:
    """Return the finite values, or a single NaN."""
    stacked = torch.stack(list(values))
    finite = stacked[stacked.isfinite()]
    return finite if len(finite) else stacked.new_tensor([math.nan])


def _roll_back(run: Run, log: Callable[[str], None]) -> None:
    """Return to the last checkpoint, halve the learning rate; WorkError after ``MAX_HALVINGS``."""
    last, halvings = run.update, run.halvings + 1
    run.restore()
    run.halvings = halvings
    if halvings > MAX_HALVINGS:
        raise WorkError(
            f"no gradient is finite, even at 1/{2**MAX_HALVINGS} of the learning rate; "
            "check the training text for broken lines"
        )
    run.keep()
    log(
        f"{MAX_SKIPPED} non-finite gradients in a row: returning from update {last} to "
        f"{run.update}, with half the learning rate"
    )


def _dev_bleu(run: Run, entry: dict[str, float], log: Callable[[str], None]) -> dict[str, float]:
    """Return BLEU of greedy translations of dev sentences; warn if all outputs are the same."""
    if run.spell is None or parallel.RANK > 0:
        return {}
    sources = run.dev.sources[:BLEU_SENTENCES]
    outputs = [run.spell(ids) for ids in greedy(run.average, sources)]
    if len(set(map(tuple, sources))) > 10 and len(set(outputs)) == 1:
        log(f"warning: all dev sentences get the same output, {outputs[0]!r}: {_cause(run, entry)}")
    references = [run.spell(ids) for ids in run.dev.targets[:BLEU_SENTENCES]]
    return {"bleu": bleu(outputs, references, "none")}


def _cause(run: Run, entry: dict[str, float]) -> str:
    """Return the likely reason why all outputs are the same."""
    if entry["skipped"] or entry["gradient_norm"] > 10 * (run.config.clip or 1.0):
        return "the gradients explode; a lower --clip may help"
    if run.update < 2 * run.config.warmup:
        return "common this early in training"
    if run.config.attention == "none":
        return "without attention training takes much longer"
    return "the source is ignored; check that the files correspond line by line"


def greedy(model: Seq2Seq, sources: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the greedy translation of every source, as subword ids."""
    translations: list[list[int]] = [[] for _ in sources]
    for rows in batch_rows(sources, 64):
        x = torch.tensor([[*sources[r], EOS] for r in rows], device=model.device)
        for r, [output] in zip(rows, beam_search([model.eval()], x, 1), strict=True):
            translations[r] = output.ids
    return translations


def _line(entry: dict[str, float], better: bool, remaining: float) -> str:
    """Format a validation as a row below the last line of ``LEGEND``. remaining: seconds."""
    score = f"{entry['bleu']:6.2f}" if "bleu" in entry else f"{'–':>6}"
    skipped = f"  {entry['skipped']:.0f} updates skipped" if entry["skipped"] else ""
    return (
        f"{entry['update']:8.0f}{entry['loss']:8.3f}{entry['dev_perplexity']:10.2f}"
        f"{' *' if better else '  '}{score}{entry['gradient_norm']:7.2f}{entry['clipped']:6.0%}"
        f"{entry['tokens_per_second']:7.0f}{clock(remaining):>8}{skipped}"
    )
