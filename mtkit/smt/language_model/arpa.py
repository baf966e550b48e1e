"""Read and write ARPA files, the exchange format of n-gram tools.

A line has log10 p, the words, and log10 γ of an n-gram; lines are grouped by n-gram order.
"""

from __future__ import annotations

import gzip
import itertools
import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from mtkit.errors import InputError
from mtkit.smt.flat import Float32, Float64, Int32, Int64
from mtkit.smt.kernels import kernel
from mtkit.smt.language_model.ngrams import (
    LM_BOS,
    LM_EOS,
    LM_SPECIALS,
    LM_UNK,
    MAX_ORDER,
    ROOT,
    SPELLINGS,
    Lm,
    NgramModel,
    child,
)
from mtkit.storage.reading import unpacked

# The n n-grams of one order k: word ids (n, k); log10 p and log10 backoff (n, 2); n line numbers.
Section = tuple[Int64, Float64, list[int]]
MAX_LOG10 = 400_000  # beyond it, the model could not be read again: see ``structure.MAX_VALUE``
MISSING_UNK = -100 * math.log(10)  # ln p(<unk>) if an ARPA file lacks <unk>, as in KenLM


@contextmanager
def create(path: Path) -> Iterator[BinaryIO]:
    """Create a file, gzipped if its name ends in ``.gz``; equal content gives equal bytes."""
    with path.open("wb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:  # no name and time in its header
                yield cast(BinaryIO, file)
        else:
            yield raw


def text_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file with their numbers, from 1; raises InputError if it is binary."""
    unchecked = 4096  # bytes at the beginning; a binary file has a zero byte there
    for number, line in enumerate(unpacked(path), 1):
        if b"\0" in line[: max(0, unchecked)]:
            raise InputError(f"{path}: a binary file; name the text file it was built from")
        unchecked -= len(line)
        yield number, line


def write_arpa(model: NgramModel, path: Path) -> None:
    """Write an ARPA file, gzipped if the name ends in ``.gz``.

    Raises InputError for a word that the format cannot hold: empty, or with white space.
    """
    for word in model.words:
        if word.encode().split() != [word.encode()]:
            raise InputError(f"{path}: the word {word!r} cannot be written to an ARPA file")
    with create(path) as file:
        file.writelines(block.encode() for block in _arpa_blocks(model))


def _arpa_blocks(model: NgramModel) -> Iterator[str]:
    """Yield the text of the file: the counts, then one block for each order."""
    counts = [f"ngram {k}={count}\n" for k, count in enumerate(model.counts, start=1)]
    yield "".join(["\\data\\\n", *counts])
    trie, histories = model.arrays, [""]  # the n-grams of the order below
    for k, (lo, hi) in enumerate(itertools.pairwise(model.level_starts), start=1):
        n_children = np.diff(trie.first_child[lo - len(histories) : lo + 1])
        parents = np.repeat(np.arange(len(histories)), n_children).tolist()
        words = [model.words[w] for w in trie.word[lo:hi].tolist()]
        grams = [histories[h] + word for h, word in zip(parents, words, strict=True)]
        p, b = ((x[lo:hi] / math.log(10)).tolist() for x in (trie.log_prob, trie.backoff))
        line = "%.8g\t%s\t%.8g\n" if k < model.order else "%.8g\t%s%.0s\n"  # no backoff on top
        yield "".join([f"\n\\{k}-grams:\n", *(line % row for row in zip(p, grams, b, strict=True))])
        histories = [gram + " " for gram in grams]
    yield "\n\\end\\\n"


def read_arpa(path: Path) -> NgramModel:
    """Read an ARPA file (KenLM's, SRILM's …), packed if its name ends in .gz, .xz or .zst.

    If pruning removed the history h of an n-gram hw from the file, a blank node replaces it. Its
    probability is that of backing off and its γ is 1, so it changes no score. If ``<unk>`` is
    missing, it gets log10 p = -100, as in KenLM. The model's ``notes`` mention both. Raises
    InputError with file and line if the file is not a valid ARPA file.
    """
    words, sections = _read_sections(path)
    keys, nodes = _place([text for text, _, _ in sections], len(words))
    word, first_child = _layout(keys, len(words))
    suffix = _suffix_links(word, first_child)

    log_prob = np.full(len(word), np.nan, dtype=np.float32)
    backoff = np.zeros(len(word), dtype=np.float32)
    for (text, log10, lines), node in zip(sections, nodes, strict=True):
        _, first = np.unique(node, return_index=True)
        if len(first) < len(node):
            line = lines[np.setdiff1d(np.arange(len(node)), first)[0]]
            raise InputError(f"{path}:{line}: this n-gram is a duplicate")
        log_prob[node] = log10[:, 0] * math.log(10)
        if text.shape[1] < len(sections):  # no history is as long as the longest n-gram
            backoff[node] = log10[:, 1] * math.log(10)
    log_prob[ROOT] = 0
    if np.isnan(log_prob[[1 + LM_BOS, 1 + LM_EOS]]).any():
        last = max(sections[0][-1], default=0)
        raise InputError(f"{path}:{last}: the unigrams lack <s> or </s>")
    notes = []
    if np.isnan(log_prob[1 + LM_UNK]):
        log_prob[1 + LM_UNK] = MISSING_UNK
        notes.append(f"{path} has no <unk>: unknown words get log10 p = -100, as in KenLM")
    if blanks := _fill_blanks(first_child, suffix, log_prob, backoff):
        notes.append(
            f"{path} lacks {blanks} contexts of its n-grams; back-off gives their probabilities"
        )
    arrays = Lm(word, first_child, suffix, log_prob, backoff)
    return NgramModel(len(sections), words, arrays, notes=notes)


def _read_sections(path: Path) -> tuple[list[str], list[Section]]:
    """Return the words, specials first, and the n-grams of each order."""
    lines = [line for _, line in text_of(path)]
    announced = [b"".join(line.split()) for line in lines if line.startswith(b"ngram")]
    if (order := len(announced)) > MAX_ORDER:
        raise InputError(f"{path}: n-grams of {order} words; the limit is {MAX_ORDER}")
    names = [b"\\data\\", *(b"\\%d-grams:" % k for k in range(1, order + 1)), b"\\end\\"]
    heads = [(i, line.strip()) for i, line in enumerate(lines, start=1) if line[:1] == b"\\"]
    end = len(lines), b""
    for (i, head), name in zip([*heads, end], [*names, b""], strict=False):
        if head != name or not order:
            raise InputError(f"{path}:{i}: expected {name.decode() or 'nothing more'} here")

    ids: defaultdict[bytes, int] = defaultdict(itertools.count(len(LM_SPECIALS)).__next__)
    ids.update({word.encode(): i for word, i in SPELLINGS.items()})
    sections: list[Section] = []
    for k, ((lo, _), (hi, _)) in enumerate(itertools.pairwise(heads[1:]), start=1):
        numbers = [i for i in range(lo + 1, hi) if lines[i - 1].strip()]
        if announced[k - 1] != b"ngram%d=%d" % (k, len(numbers)):
            raise InputError(
                f"{path}:{lo}: found {len(numbers)} {k}-grams; the header announces another number"
            )
        sections.append(_read_section(path, lines, numbers, ids, k))
        ids.default_factory = None  # a word that is no unigram is now an error
    return [*LM_SPECIALS, *(word.decode() for word, i in ids.items() if i > LM_EOS)], sections


def _read_section(
    path: Path, lines: list[bytes], numbers: list[int], ids: dict[bytes, int], k: int
) -> Section:
    """Parse lines ``log10 p, k words, log10 backoff``; for k = 1 new words are added to ``ids``."""
    text: list[int] = []
    log10: list[float] = []
    for number in numbers:
        line = lines[number - 1]
        fields = line.split()  # bytes split at ASCII white space only, not at U+00A0
        try:
            p, b = float(fields[0]), float(fields[k + 1]) if len(fields) > k + 1 else 0.0
            text += [ids[word] for word in fields[1 : k + 1]]
            is_good = line.decode() and -MAX_LOG10 <= p <= 0 and abs(b) <= MAX_LOG10
        except (KeyError, ValueError):
            is_good = False
        if not (is_good and k < len(fields) <= k + 2):
            raise InputError(
                f"{path}:{number}: expected log10 p (from -{MAX_LOG10:,} to 0), {k} words that are "
                "listed as unigrams (UTF-8), and optionally a backoff weight; "
                f"found {line.decode(errors='replace').strip()!r}"
            )
        log10 += p, b
    return np.array(text, np.int64).reshape(-1, k), np.array(log10).reshape(-1, 2), numbers


def _place(texts: list[Int64], V: int) -> tuple[list[Int64], list[Int64]]:
    """Return the sorted keys ``h · V + w`` of each order, and the node of each n-gram.

    n-grams of all orders are extended together, word by word, so that every history becomes a node,
    whether the file lists it or not.
    """
    keys, n_nodes = [np.arange(V)], 1 + V
    nodes = [1 + text[:, 0] for text in texts]
    for j in range(1, len(texts)):
        extended = [node * V + text[:, j] for node, text in zip(nodes[j:], texts[j:], strict=True)]
        key, rank = np.unique(np.concatenate(extended), return_inverse=True)
        keys.append(key)
        nodes[j:] = np.split(n_nodes + rank, np.cumsum([len(node) for node in extended[:-1]]))
        n_nodes += len(key)
    return keys, nodes


def _layout(keys: list[Int64], V: int) -> tuple[Int32, Int32]:
    """Return ``word`` and ``first_child`` of ``Lm``, from the sorted keys of each order."""
    parent, word = np.divmod(np.concatenate(keys), V)
    n_children = np.bincount(parent, minlength=1 + len(word))
    first_child = np.cumsum(np.append(1, n_children))
    return np.append(0, word).astype(np.int32), first_child.astype(np.int32)


def _fill_blanks(first_child: Int32, suffix: Int32, log_prob: Float32, backoff: Float32) -> int:
    """Set ln p of each node hw that has none, by backing off; return the number of these nodes."""
    blanks = np.flatnonzero(np.isnan(log_prob))
    links = suffix[blanks]
    parents = (np.searchsorted(first_child, x, side="right") - 1 for x in (blanks, links))
    for node, shorter, h, end in zip(blanks, links, *parents, strict=True):  # shorter ones first
        log_prob[node] = log_prob[shorter]
        while h != end:
            log_prob[node] += backoff[h]
            h = suffix[h]
    return len(blanks)


# --- kernels


@kernel
def _suffix_links(word: Int32, first_child: Int32) -> Int32:
    """Return the longest proper suffix of each node hw: the first node among h′w, h″w, … w."""
    suffix = np.zeros(len(word), dtype=np.int32)
    for h in range(1, len(word)):
        for node in range(first_child[h], first_child[h + 1]):
            shorter = suffix[h]
            link = child(word, first_child, shorter, word[node])
            while link < 0:
                shorter = suffix[shorter]
                link = child(word, first_child, shorter, word[node])
            suffix[node] = link
    return suffix
