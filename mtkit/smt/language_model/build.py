"""``estimate`` in stages: the same model from a text on disk, in bounded memory, in many processes.

    lm-words      the model's words, in P ranges with about equally many n-grams; a part each
    lm-counts     for each part: its n-grams of 2, 3, … n words (``counts``)
    lm-discounts  for all parts together: t_r and D(r) of every order, p of the words
    lm-order-k    for each part: p and γ of the n-grams of k words, and what the next order needs
    lm-arrays     each array of the model, joined

The suffix g of an n-gram vg is in the part of the first word of g. This part writes the node and
p(g) into a file for the part of v, in the order in which that part stores its n-grams vg. So no
part needs random access to another, and each file is read once from beginning to end. P affects
memory and disk, but not the result.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtkit.errors import InputError
from mtkit.smt.flat import Float64, Int32, Int64, load_arrays
from mtkit.smt.kernels import kernel
from mtkit.smt.language_model import counts
from mtkit.smt.language_model.counts import Level
from mtkit.smt.language_model.estimate import (
    NO_TEXT,
    TYPES,
    histogram,
    model_fields,
    pieces,
    pruning_thresholds,
    smooth,
    unigram_probabilities,
)
from mtkit.smt.language_model.ngrams import LM_SPECIALS, LM_UNK, SPELLINGS, Lm, NgramModel
from mtkit.storage.arrays import joined, load, save, summed, write_array
from mtkit.storage.reading import read_json
from mtkit.storage.stages import Outputs, Stages
from mtkit.storage.writing import link
from mtkit.text.shards import Shards
from mtkit.text.vocabulary import SPECIALS

MIN_STARTS = 1 << 18  # fewest starts per part if the text is split only to occupy all workers
MAX_NODES = (1 << 31) - 1  # nodes of a model


def build(
    text: Shards, stages: Stages, out: Path, order: int = 5, prune: Sequence[int] = ()
) -> NgramModel:
    """Estimate a model of the target side of ``text``, write it to ``out``, and return it.

    The model is that of ``estimate.train``, but tokens spelled ``<pad>`` are left out, too. Raises
    ValueError like ``train``, and InputError if the model has too many n-grams.
    """
    thresholds = pruning_thresholds(prune, order)
    if not text.pairs:
        raise ValueError(NO_TEXT)
    starts = text.tokens[1] + 2 * text.pairs
    least = max(1, min(stages.workers, starts // MIN_STARTS))
    parts = stages.parts(bytes_per_start(order) * starts, least)
    [words] = stages.run("lm-words", _words, [(text, order, parts)])
    ranges = range(len(load(words / "bounds.npy")) - 1)
    counted = stages.run("lm-counts", _count, [(text, words, part, thresholds) for part in ranges])
    [sums] = stages.run("lm-discounts", _discount, [(words, counted, order)])
    orders = list[Outputs]()
    for k in range(2, len(load(sums / "t.npy")) + 1):
        calls = [(words, counted, sums, orders[-1] if orders else None, k, part) for part in ranges]
        orders.append(stages.run(f"lm-order-{k}", _smooth, calls))
    directories = stages.run("lm-arrays", _write, [(sums, orders, name) for name in Lm._fields])
    stages.forget("lm-counts", *(parts.directory.name for parts in orders))
    out.mkdir(parents=True, exist_ok=True)
    for directory, name in zip(directories, Lm._fields, strict=True):
        (out / f"{name}.npy").unlink(missing_ok=True)
        link(directory / f"{name}.npy", out / f"{name}.npy")
    model = NgramModel(
        words=_lm_words(text)[0], arrays=load_arrays(out, Lm), **read_json(sums / "lm.json", dict)
    )
    model.describe(out)
    return model


# --- stages


def bytes_per_start(order: int) -> int:
    """Return how many bytes a part holds for each of its starts (see ``counts``)."""
    return 60 + 8 * order


def _lm_words(text: Shards) -> tuple[list[str], Int32]:
    """Return the words of the model, and the model's id of each vocabulary id, int32."""
    vocabulary = text.vocabulary("target").words
    is_word = np.array([word not in SPELLINGS for word in vocabulary[len(SPECIALS) :]], np.bool_)
    ids = np.full(len(vocabulary), LM_UNK, np.int32)
    ids[len(SPECIALS) :][is_word] = len(LM_SPECIALS) + np.arange(np.count_nonzero(is_word))
    return [*LM_SPECIALS, *(w for w in vocabulary[len(SPECIALS) :] if w not in SPELLINGS)], ids


def _words(into: Path, text: Shards, order: int, parts: int) -> None:
    """Write the words' ids, the parts' ranges of words, and the model's order.

    ids: see ``_lm_words``; bounds: first word of every part, and V; n: the order before pruning;
    left_out: number of tokens that are not in the model.
    """
    words, ids = _lm_words(text)
    c, longest = np.zeros(len(words), np.int64), 0
    for k in range(len(text)):
        sentences = _sentences(text, k, ids)
        c += np.bincount(sentences, minlength=len(words))
        longest = max(longest, counts.longest(sentences))
    left_out = text.tokens[1] + 2 * text.pairs - c.sum()
    bounds, offsets = [0], np.append(0, np.cumsum(c))
    size = -(-offsets[-1] // parts)
    while bounds[-1] < len(words):
        end = int(np.searchsorted(offsets, offsets[bounds[-1]] + size, side="right")) - 1
        bounds.append(max(end, bounds[-1] + 1))
    n = min(order, longest)
    save(into, ids=ids, bounds=np.array(bounds), n=np.array(n), left_out=np.array(left_out))


def _sentences(text: Shards, k: int, ids: Int32) -> Int32:
    side = text.side("target", k)
    return counts.sentences(ids[side.words], side.begin)


def _count(into: Path, text: Shards, words: Path, part: int, thresholds: Sequence[int]) -> None:
    """Write the ``Level`` of each order k of a part, with k appended to the names of its fields.

    Also a: of the words; t: the histogram of each order; sizes: number of n-grams kept by order.
    """
    ids, bounds, n = load(words / "ids.npy"), load(words / "bounds.npy"), int(load(words / "n.npy"))
    first, last = int(bounds[part]), int(bounds[part + 1])
    spans = (counts.around(_sentences(text, k, ids), first, last, n) for k in range(len(text)))
    starts = counts.arrange(spans, first, last, n)
    a = counts.unigrams(starts, int(bounds[-1]), n)[first:last]
    save(into, a=a)
    t, sizes = [histogram(a)], [last - first]
    for k, level in enumerate(counts.levels(starts, bounds, part, n, thresholds), start=2):
        save(into, **{f"{name}{k}": array for name, array in level._asdict().items()})
        t.append(histogram(level.a))
        sizes.append(int(np.count_nonzero(level.kept)))
    save(into, t=np.array(t), sizes=np.array(sizes))


def _discount(into: Path, words: Path, counted: Outputs, order: int) -> None:
    """Write ``lm.json``, the fields by ``model_fields``, and the arrays that all parts need.

    t: sum over the parts, (n, 5); sizes: (n, P); p: of the words; cuts: of the orders 2, 3, …
    n - 1, by part, (n - 2, P, P + 1). Raises InputError for too many n-grams.
    """
    t = summed(out / "t.npy" for out in counted)
    sizes = np.stack([load(out / "sizes.npy") for out in counted], axis=1)
    if 1 + sizes.sum() > MAX_NODES:
        raise InputError(
            f"{sizes.sum():,} n-grams exceed the limit of {MAX_NODES - 1:,} of a language model; "
            "lower --order, or use --prune"
        )
    cuts = [[load(out / f"cuts{k}.npy") for out in counted] for k in range(2, len(t))]
    a = joined(out / "a.npy" for out in counted)
    save(into, t=t, sizes=sizes, cuts=np.array(cuts), p=unigram_probabilities(a, t[0].tolist()))
    fields = model_fields(order, t.tolist(), sizes.tolist(), int(load(words / "left_out.npy")))
    (into / "lm.json").write_text(json.dumps(fields), encoding="utf-8")


def _smooth(
    into: Path, words: Path, counted: Outputs, sums: Path, below: Outputs | None, k: int, part: int
) -> None:
    """Write a part's piece of the model; node_sent and p_sent: node and p of each ``Level.link``.

    below: outputs of the order below, None if that is the words.
    """
    level = Level(*(load(counted[part] / f"{name}{k}.npy") for name in Level._fields))
    t, sizes = load(sums / "t.npy")[k - 1].tolist(), load(sums / "sizes.npy")
    start = 1 + int(sizes[: k - 1].sum() + sizes[k - 1, :part].sum())
    if below is None:
        first, last = load(words / "bounds.npy", part, part + 2)
        history_kept = np.ones(last - first, np.bool_)
        lower, suffix = load(sums / "p.npy")[level.word], 1 + level.word
    else:
        history_kept = load(counted[part] / f"kept{k - 1}.npy")
        cuts = load(sums / "cuts.npy")[k - 3, :, part : part + 2]
        lower, suffix = _received(below, cuts, level.runs)
    p, node, piece = smooth(level, t, lower, suffix, history_kept, start)
    save(into, **piece._asdict(), p_sent=p[level.link], node_sent=node[level.link])


def _received(below: Outputs, cuts: Int64, runs: Int64) -> tuple[Float64, Int32]:
    """Return p and node of the suffixes of a part's N n-grams, (N,) each.

    cuts: (P, 2), begin and end of what each part has sent to this one; runs: see ``Level``.
    """
    p, node = (
        np.concatenate(
            [load(out / f"{name}_sent.npy", *cut) for out, cut in zip(below, cuts, strict=True)]
        )
        for name in ("p", "node")
    )
    return _merged(p, node, np.cumsum(np.append(0, np.diff(cuts, axis=1)))[:-1], runs)


def _write(into: Path, sums: Path, orders: Sequence[Outputs], name: str) -> None:
    """Write one array of the model."""
    p, sizes = load(sums / "p.npy"), load(sums / "sizes.npy").tolist()

    def pieces_of(k: int) -> Iterator[NDArray[Any]]:
        return (load(part / f"{name}.npy") for part in orders[k - 2])

    write_array(into / f"{name}.npy", pieces(name, p, sizes, pieces_of), TYPES[name])


# --- kernels


@kernel
def _merged(p: Float64, node: Int32, begin: Int64, runs: Int64) -> tuple[Float64, Int32]:
    """Return p and node in the order of ``runs``; begin[q]: where those of part q begin."""
    merged, nodes, n, slot = np.empty_like(p), np.empty_like(node), 0, begin.copy()
    for r in range(len(runs)):
        q = runs[r, 0]
        for i in range(slot[q], slot[q] + runs[r, 1]):
            merged[n], nodes[n] = p[i], node[i]
            n += 1
        slot[q] += runs[r, 1]
    return merged, nodes
