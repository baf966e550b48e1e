"""The n-gram language model P(y) = Π_i p(w_i | w_{i-n+1} … w_{i-1}): modified Kneser-Ney.

    c(g)    how often the n-gram g occurs, a sentence being <s> w_1 … w_I </s>
    a(g)    its adjusted count: c(g) if |g| = n or g starts with <s>, else the number of
            different words seen before it, |{v : c(vg) > 0}|
    t_r     how many n-grams of one order have a(g) = r
    D(r)    the discount of a count, one triple an order; D(0) = 0 and D(r) = D(3) for r > 3
    A(h)    Σ_v a(hv), all that was seen after the history h
    γ(h)    the mass that the discounts free for the shorter history
    h′      h without its first word;  ε the empty history;  V the words, <unk>, <s> and </s>

    Y       = t_1 / (t_1 + 2 t_2)
    D(r)    = r − (r + 1) Y t_{r+1} / t_r                           for r = 1, 2, 3
    γ(h)    = Σ_v D(a(hv)) / A(h)
    p(w|h)  = (a(hw) − D(a(hw))) / A(h) + γ(h) p(w|h′)
    p(w|ε)  = (a(w) − D(a(w))) / A(ε) + γ(ε) / (|V| − 1)            <s> is never predicted

Chen & Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling"
(equation 26 and modified Kneser-Ney); Heafield, Pouzyrevsky, Clark & Koehn 2013, "Scalable
Modified Kneser-Ney Language Model Estimation" (adjusted counts). The figures are those of
KenLM's `lmplz`; γ(h) is what an ARPA file calls the backoff weight of h.

The model is a trie read forwards. Node 0 is ε, node 1 + w the word w, then all bigrams, all
trigrams …, in the order of (parent, word), so that the children of a node are neighbours and
sorted. Each node also links to its suffix h′, as in the automaton of Aho & Corasick 1975, so
that the whole state of a query is one node: the longest history that can still matter. Equal
states have equal futures, which is what a decoder recombines on. Logarithms are natural;
log10 lives in the ARPA reader and writer alone.

Limits: no pruning; the corpus and an ARPA file are read into memory; fewer than 2³¹ n-grams;
`lmplz` enters the last n-gram of each order into t_r by c(g), not a(g), and we do not.
"""

from __future__ import annotations

import gzip
import itertools
import json
import math
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

UNK, BOS, EOS = 0, 1, 2
SPECIALS = ("<unk>", "<s>", "</s>")
SPELLINGS = {"<unk>": UNK, "<UNK>": UNK, "<s>": BOS, "</s>": EOS}  # some ARPA files shout
ROOT = 0
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)  # those of lmplz --discount_fallback
MISSING_UNK = -100 * math.log(10)  # what KenLM gives <unk> when an ARPA file leaves it out

I8 = npt.NDArray[np.int8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
ARRAYS = ("word", "first_child", "suffix", "log_prob", "backoff")


class SentenceScores(NamedTuple):
    """What the model thinks of S sentences, token by token: T words and ``</s>`` in all."""

    log_prob: F64  # (T,) ln p(w | h)
    order: I8  # (T,) words of the longest n-gram found, w included
    is_oov: Bool  # (T,) whether w was scored as <unk>
    offsets: I64  # (S + 1,) sentence s is offsets[s]:offsets[s + 1], its </s> the last


@dataclass(frozen=True, eq=False)
class NgramModel:
    """A backoff language model as a trie of N nodes; see the head of the module.

    >>> model = train([["a", "b"], ["a", "c"]], order=2)
    >>> model.counts
    [6, 5]
    >>> scores = model.score([["a", "d"]])
    >>> scores.order.tolist(), scores.is_oov.tolist()
    ([2, 1, 1], [False, True, False])
    """

    order: int
    words: list[str]  # of each word id
    word: I32  # (N,) the last word of each node
    first_child: I32  # (N + 1,) the children of h are first_child[h] : first_child[h + 1]
    suffix: I32  # (N,) the longest node that is a proper suffix of this one
    log_prob: F32  # (N,) ln p(w | h) of the node hw
    backoff: F32  # (N,) ln γ(h) of the node h; 0 without children
    discounts: list[list[float]] = field(default_factory=list)  # D(1..3) by order, if known
    notes: list[str] = field(default_factory=list)  # what the user should hear about

    def __post_init__(self) -> None:
        # Read-only arrays, mapped or not, are one numba type: the kernels compile once.
        for array in self.arrays:
            array.flags.writeable = False

    @property
    def arrays(self) -> tuple[I32, I32, I32, F32, F32]:
        """``word, first_child, suffix, log_prob, backoff``: the first arguments of a kernel."""
        return self.word, self.first_child, self.suffix, self.log_prob, self.backoff

    @cached_property
    def ids(self) -> dict[str, int]:
        """Word → id, without the specials: text spelled like ``<s>`` is an unknown word."""
        return {word: i for i, word in enumerate(self.words) if i > EOS}

    @cached_property
    def begin(self) -> int:
        """The state after ``<s>``."""
        return int(_shorten(self.first_child, self.suffix, self.backoff, 1 + BOS))

    @cached_property
    def level_starts(self) -> I64:
        """(order + 1,): the nodes of k words are ``level_starts[k - 1] : level_starts[k]``."""
        starts = [1, 1 + len(self.words)]
        for _ in range(1, self.order):
            starts.append(int(self.first_child[starts[-1]]))
        return np.array(starts, dtype=np.int64)

    @property
    def counts(self) -> list[int]:
        """The n-grams of each order; the unigrams include ``<unk>``, ``<s>`` and ``</s>``."""
        return [int(n) for n in np.diff(self.level_starts)]

    def encode(self, tokens: Sequence[str]) -> I32:
        """Word ids, int32 (len(tokens),); ``UNK`` where the model has no such word."""
        found = map(self.ids.get, tokens, itertools.repeat(UNK))
        return np.fromiter(found, dtype=np.int32, count=len(tokens))

    def score(self, sentences: Sequence[Sequence[str]]) -> SentenceScores:
        """ln p of every word and of every sentence's ``</s>``, in one kernel call."""
        text = self.encode(list(itertools.chain.from_iterable(sentences)))
        lengths = np.fromiter(map(len, sentences), dtype=np.int64, count=len(sentences))
        offsets = np.concatenate([[0], np.cumsum(lengths + 1)])
        scores = _score(*self.arrays, self.begin, self.level_starts, text, offsets)
        return SentenceScores(*scores, offsets)

    def save(self, directory: Path) -> None:
        """Write ``lm.json`` and one ``.npy`` an array into ``directory``, made if need be."""
        directory.mkdir(parents=True, exist_ok=True)
        for name, array in zip(ARRAYS, self.arrays, strict=True):
            np.save(directory / f"{name}.npy", array)
        names = ("order", "words", "discounts", "notes")
        text = json.dumps({name: getattr(self, name) for name in names}, ensure_ascii=False)
        (directory / "lm.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, directory: Path, mmap: bool = True) -> NgramModel:
        """Read what ``save`` wrote; with ``mmap`` the arrays stay on disk until touched.

        Raises ValueError when the arrays do not fit together.
        """
        arrays = {
            name: np.load(directory / f"{name}.npy", mmap_mode="r" if mmap else None)
            for name in ARRAYS
        }
        n = len(arrays["word"])
        if any(len(array) != n + (name == "first_child") for name, array in arrays.items()):
            raise ValueError(f"{directory}: the language model's arrays differ in length")
        fields: dict[str, Any] = json.loads((directory / "lm.json").read_text(encoding="utf-8"))
        # asarray drops np.memmap, which numba would take for another type; nothing is copied.
        fields |= {name: np.asarray(array) for name, array in arrays.items()}
        return cls(**fields)


# --- training


def train(sentences: Iterable[Sequence[str]], order: int = 5) -> NgramModel:
    """Estimate an unpruned model, as ``lmplz --order N --discount_fallback`` does.

    Tokens spelled like a special symbol are left out, as by ``lmplz --skip_symbols``; where no
    sentence with its ``<s>`` and ``</s>`` is ``order`` words long, the order is that of the
    longest. ``notes`` says so, and where the closed form of the discounts failed. Raises
    ValueError if there is no sentence or ``order`` is not 1 to 127.
    """
    if not 1 <= order <= 127:
        raise ValueError(f"a language model's order is 1 to 127, not {order}")
    text, words, notes = _encode_corpus(sentences)
    keys, counts = _count(text, len(words), order)
    if len(keys) < order:
        notes.append(f"no n-gram is longer than {len(keys)} words: order {order} → {len(keys)}")
    word, parent, first_child, starts = _layout(keys, len(words))
    suffix = _suffix_links(word, parent, first_child)

    a = _adjusted_counts(counts, starts, suffix, first_child)
    d, discounts, failures = _discount(a, starts)
    p, gamma = _interpolate(a, d, parent, suffix, starts)
    log_prob, backoff = np.log(p).astype(np.float32), np.log(gamma).astype(np.float32)
    log_prob[ROOT] = backoff[ROOT] = 0  # ε is neither predicted nor backed off from
    notes += failures
    return NgramModel(
        len(keys), words, word, first_child, suffix, log_prob, backoff, discounts, notes
    )


def _encode_corpus(sentences: Iterable[Sequence[str]]) -> tuple[I64, list[str], list[str]]:
    """``<s> w_1 … w_I </s> <s> …`` as ids (T,), the words in order of appearance, notes."""
    # The boundaries go in as integers, which no token of the text can equal.
    marked = (itertools.chain[str | int]([BOS], sentence, [EOS]) for sentence in sentences)
    ids: defaultdict[str | int, int] = defaultdict(itertools.count(len(SPECIALS)).__next__)
    ids.update({BOS: BOS, EOS: EOS} | dict.fromkeys(SPELLINGS, UNK))
    tokens = itertools.chain.from_iterable(marked)
    text = np.fromiter(map(ids.__getitem__, tokens), dtype=np.int64)
    if not text.size:
        raise ValueError("a language model needs at least one sentence to train on")
    kept = text[text != UNK]
    notes = []
    if left_out := len(text) - len(kept):
        notes.append(f"{left_out} tokens spelled like {', '.join(SPELLINGS)} were left out")
    return kept, [*SPECIALS, *(str(word) for word, i in ids.items() if i > EOS)], notes


def _count(text: I64, V: int, order: int) -> tuple[list[I64], list[I64]]:
    """The n-grams of each order as sorted keys ``parent node · V + word``, and their c(g).

    Stops short of ``order`` where no n-gram is that long.
    """
    keys, counts = [np.arange(V)], [np.bincount(text, minlength=V)]
    counts[0][BOS] = 0
    start, node, n_nodes = np.arange(len(text)), 1 + text, 1 + V
    for k in range(2, order + 1):
        # node[i] is the (k-1)-gram at start[i]; it grows by a word unless its sentence is over.
        grows = text[start + k - 2] != EOS
        start, node = start[grows], node[grows]
        if not start.size:
            break
        grown = node * V + text[start + k - 1]
        key, rank, count = np.unique(grown, return_inverse=True, return_counts=True)
        keys.append(key)
        counts.append(count)
        node = n_nodes + rank
        n_nodes += len(key)
    return keys, counts


def _layout(keys: list[I64], V: int) -> tuple[I32, I32, I32, I64]:
    """``word``, ``parent``, ``first_child`` and the start of each order, from its sorted keys."""
    key = np.concatenate([[ROOT], *keys])
    parent, word = np.divmod(key, V)
    n_children = np.bincount(parent[1:], minlength=len(key))
    first_child = np.concatenate([[1], 1 + np.cumsum(n_children)])
    starts = np.cumsum([1, *map(len, keys)])
    return word.astype(np.int32), parent.astype(np.int32), first_child.astype(np.int32), starts


def _adjusted_counts(counts: list[I64], starts: I64, suffix: I32, first_child: I32) -> I64:
    """a(g) of every node, int64 (N,); that of ε is 0."""
    c = np.concatenate([[0], *counts])
    a = np.bincount(suffix, minlength=len(suffix))  # each link comes from another word before g
    a[ROOT] = 0
    a[starts[-2] :] = c[starts[-2] :]
    lo, hi = 1 + BOS, 2 + BOS  # <s>, then all that starts with it, order by order
    for _ in counts:
        a[lo:hi] = c[lo:hi]
        lo, hi = first_child[lo], first_child[hi]
    return a


def _discount(a: I64, starts: I64) -> tuple[F64, list[list[float]], list[str]]:
    """D(a(g)) of every node, (N,); D(1), D(2), D(3) of every order; which had to be replaced."""
    d, discounts, failures = np.zeros(len(a)), [], []
    for k, (lo, hi) in enumerate(itertools.pairwise(starts), start=1):
        t = np.bincount(np.minimum(a[lo:hi], 5), minlength=5).tolist()
        D = _closed_form(t)
        if not D:
            D = list(FALLBACK_DISCOUNTS)
            failures.append(f"{k}-grams: too few for discounts of their own (t = {t[1:5]}): {D}")
        d[lo:hi] = np.array([0, *D])[np.minimum(a[lo:hi], 3)]
        discounts.append(D)
    return d, discounts, failures


def _closed_form(t: Sequence[int]) -> list[float]:
    """D(1), D(2), D(3); nothing unless t_1, t_2, t_3 > 0 and 0 < D(r) ≤ r.

    lmplz lets D(r) = 0 pass, which can leave no mass at all to unseen words.
    """
    if 0 in t[1:4]:
        return []
    Y = t[1] / (t[1] + 2 * t[2])
    D = [r - (r + 1) * Y * t[r + 1] / t[r] for r in (1, 2, 3)]
    return D if all(0 < D[r - 1] <= r for r in (1, 2, 3)) else []


def _interpolate(a: I64, d: F64, parent: I32, suffix: I32, starts: I64) -> tuple[F64, F64]:
    """p(w|h) of every node hw and γ(h) of every node h, (N,) each; γ = 1 without children."""
    A = np.bincount(parent, weights=a, minlength=len(a))
    freed = np.bincount(parent, weights=d, minlength=len(a))
    gamma = np.divide(freed, A, out=np.ones(len(a)), where=A > 0)
    p = np.empty(len(a))
    p[ROOT] = 1 / (starts[1] - starts[0] - 1)  # below the unigrams: uniform, without <s>
    for lo, hi in itertools.pairwise(starts):
        h = parent[lo:hi]
        p[lo:hi] = (a[lo:hi] - d[lo:hi]) / A[h] + gamma[h] * p[suffix[lo:hi]]
    p[1 + BOS] = 1  # given, never predicted: a product that holds it must not change
    return np.minimum(p, 1), gamma  # a sum may round to more than 1


# --- ARPA files


def write_arpa(model: NgramModel, path: str | Path) -> None:
    """Write an ARPA file, gzipped if the name ends in ``.gz``.

    Raises ValueError for a word that the format cannot hold: empty, or with white space inside.
    """
    for word in model.words:
        if word.encode().split() != [word.encode()]:
            raise ValueError(f"{path}: no ARPA file can hold the word {word!r}")
    with Path(path).open("wb") as raw:
        # Without a name and a time inside, the same model gives the same bytes.
        is_gz = str(path).endswith(".gz")
        with gzip.GzipFile("", "wb", 6, raw, mtime=0) if is_gz else nullcontext(raw) as file:
            file.writelines(block.encode() for block in _arpa_blocks(model))


def _arpa_blocks(model: NgramModel) -> Iterator[str]:
    """The text of the file: the counts, then one block an order."""
    counts = [f"ngram {k}={count}\n" for k, count in enumerate(model.counts, start=1)]
    yield "".join(["\\data\\\n", *counts])
    histories = [""]  # the n-grams of the order below
    for k, (lo, hi) in enumerate(itertools.pairwise(model.level_starts), start=1):
        n_children = np.diff(model.first_child[lo - len(histories) : lo + 1])
        parents = np.repeat(np.arange(len(histories)), n_children).tolist()
        words = [model.words[w] for w in model.word[lo:hi].tolist()]
        grams = [histories[h] + word for h, word in zip(parents, words, strict=True)]
        p, b = ((x[lo:hi] / math.log(10)).tolist() for x in (model.log_prob, model.backoff))
        line = "%.8g\t%s\t%.8g\n" if k < model.order else "%.8g\t%s%.0s\n"  # no backoff on top
        yield "".join([f"\n\\{k}-grams:\n", *(line % row for row in zip(p, grams, b, strict=True))])
        histories = [gram + " " for gram in grams]
    yield "\n\\end\\\n"


def read_arpa(path: str | Path) -> NgramModel:
    """Read an ARPA file (KenLM's, SRILM's …), gzipped if the name ends in ``.gz``.

    Where the file was pruned of the history h of an n-gram hw, a blank node stands in: its
    probability is what backing off gives it, its γ is 1, and so it changes no score. ``<unk>``
    may be missing and then gets KenLM's log10 p = -100. ``notes`` says both. Raises ValueError
    with file and line for anything that is no ARPA file.
    """
    words, sections = _read_sections(path)
    keys, nodes = _place([section.text for section in sections], len(words))
    word, parent, first_child, _ = _layout(keys, len(words))
    suffix = _suffix_links(word, parent, first_child)

    log_prob = np.full(len(word), np.nan, dtype=np.float32)
    backoff = np.zeros(len(word), dtype=np.float32)
    for section, node in zip(sections, nodes, strict=True):
        _, first = np.unique(node, return_index=True)
        if len(first) < len(node):
            line = section.lines[np.setdiff1d(np.arange(len(node)), first)[0]]
            raise ValueError(f"{path}:{line}: this n-gram stands above already")
        log_prob[node] = section.log10_p * math.log(10)
        if section is not sections[-1]:  # no history is as long as the longest n-gram
            backoff[node] = section.log10_b * math.log(10)
    log_prob[ROOT] = 0
    if np.isnan(log_prob[[1 + BOS, 1 + EOS]]).any():
        raise ValueError(
            f"{path}:{max(sections[0].lines, default=0)}: the unigrams lack <s> or </s>"
        )
    notes = []
    if np.isnan(log_prob[1 + UNK]):
        log_prob[1 + UNK] = MISSING_UNK
        notes.append(f"{path} has no <unk>: unknown words get log10 p = -100, as in KenLM")
    if blanks := _fill_blanks(parent, suffix, log_prob, backoff):
        notes.append(f"{path} lacks {blanks} histories of its n-grams: they back off")
    order = len(sections)
    return NgramModel(order, words, word, first_child, suffix, log_prob, backoff, notes=notes)


class _Section(NamedTuple):
    """The n n-grams of one order k."""

    text: I64  # (n, k) word ids
    log10_p: F64  # (n,)
    log10_b: F64  # (n,) the backoff
    lines: list[int]  # n places in the file


def _read_sections(path: str | Path) -> tuple[list[str], list[_Section]]:
    """The words, specials first, and the n-grams of each order."""
    try:
        with (gzip.open if str(path).endswith(".gz") else open)(path, "rb") as file:
            lines: list[bytes] = file.readlines()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: the gzip file is cut off or damaged: {error}") from error
    announced = [b"".join(line.split()) for line in lines if line.startswith(b"ngram")]
    order = len(announced)
    names = [b"\\data\\", *(b"\\%d-grams:" % k for k in range(1, order + 1)), b"\\end\\"]
    heads = [(i, line.strip()) for i, line in enumerate(lines, start=1) if line[:1] == b"\\"]
    end = len(lines), b""
    for (i, head), name in zip([*heads, end], [*names, b""], strict=False):
        if head != name or not order:
            raise ValueError(f"{path}:{i}: expected {name.decode() or 'nothing more'} here")

    ids: defaultdict[bytes, int] = defaultdict(itertools.count(len(SPECIALS)).__next__)
    ids.update({word.encode(): i for word, i in SPELLINGS.items()})
    sections: list[_Section] = []
    for k, ((lo, _), (hi, _)) in enumerate(itertools.pairwise(heads[1:]), start=1):
        numbers = [i for i in range(lo + 1, hi) if lines[i - 1].strip()]
        if announced[k - 1] != b"ngram%d=%d" % (k, len(numbers)):
            raise ValueError(f"{path}:{lo}: {len(numbers)} {k}-grams follow, not as announced")
        sections.append(_read_section(path, lines, numbers, ids, k))
        ids.default_factory = None  # a word that was no unigram is a mistake from here on
    return [*SPECIALS, *(word.decode() for word, i in ids.items() if i > EOS)], sections


def _read_section(
    path: str | Path, lines: list[bytes], numbers: list[int], ids: dict[bytes, int], k: int
) -> _Section:
    """Parse ``log10 p, k words, log10 backoff``; new words enter ``ids`` if it lets them."""
    text: list[int] = []
    log10: list[float] = []
    for number in numbers:
        line = lines[number - 1]
        fields = line.split()  # at ASCII white space alone, since these are bytes: not U+00A0
        try:
            p, b = float(fields[0]), float(fields[k + 1]) if len(fields) > k + 1 else 0.0
            text += [ids[word] for word in fields[1 : k + 1]]
            is_good = line.decode() and -math.inf < p <= 0 and abs(b) < math.inf
        except (KeyError, ValueError):
            is_good = False
        if not (is_good and k < len(fields) <= k + 2):
            raise ValueError(
                f"{path}:{number}: expected log10 p ≤ 0, {k} words in UTF-8 that are unigrams "
                f"and perhaps a backoff, found {line.decode(errors='replace').strip()!r}"
            )
        log10 += p, b
    pairs = np.array(log10).reshape(-1, 2)
    return _Section(np.array(text, np.int64).reshape(-1, k), pairs[:, 0], pairs[:, 1], numbers)


def _place(texts: list[I64], V: int) -> tuple[list[I64], list[I64]]:
    """The keys of each order, as ``_count`` gives them, and the node of each n-gram.

    All n-grams grow together, word by word, so that the histories they share, listed or not,
    become nodes.
    """
    keys, n_nodes = [np.arange(V)], 1 + V
    nodes = [1 + text[:, 0] for text in texts]
    for j in range(1, len(texts)):
        grown = [node * V + text[:, j] for node, text in zip(nodes[j:], texts[j:], strict=True)]
        key, rank = np.unique(np.concatenate(grown), return_inverse=True)
        keys.append(key)
        nodes[j:] = np.split(n_nodes + rank, np.cumsum([len(node) for node in grown[:-1]]))
        n_nodes += len(key)
    return keys, nodes


def _fill_blanks(parent: I32, suffix: I32, log_prob: F32, backoff: F32) -> int:
    """Back off from h to the history of hw's suffix, for each hw without ln p; their number."""
    blanks = np.flatnonzero(np.isnan(log_prob))
    for node in blanks:  # shorter n-grams come first
        h, known = parent[node], suffix[node]
        log_prob[node] = log_prob[known]
        while h != parent[known]:
            log_prob[node] += backoff[h]
            h = suffix[h]
    return len(blanks)


# --- kernels


@njit(cache=True, inline="always")
def _child(word: I32, first_child: I32, h: int, w: int) -> int:
    """The node hw, or -1. Binary search: the last child of h whose word is at most w."""
    if h == ROOT:
        return 1 + w
    last, n = first_child[h], first_child[h + 1] - first_child[h]
    while n > 1:  # one conditional move a turn: a branch here would be mispredicted every other
        half = n >> 1
        last = last + half if word[last + half] <= w else last
        n -= half
    return last if n == 1 and word[last] == w else -1


@njit(cache=True, inline="always")
def _find(
    word: I32, first_child: I32, suffix: I32, log_prob: F32, backoff: F32, state: int, w: int
) -> tuple[float, int]:
    """ln p(w | state) and the node of the longest n-gram that ends in w."""
    h, total = state, 0.0
    node = _child(word, first_child, h, w)
    while node < 0:
        total += backoff[h]
        h = suffix[h]
        node = _child(word, first_child, h, w)
    return total + log_prob[node], node


@njit(cache=True, inline="always")
def _shorten(first_child: I32, suffix: I32, backoff: F32, node: int) -> int:
    """The longest suffix of a node that a later word can feel: it has children or a backoff."""
    while node != ROOT and first_child[node] == first_child[node + 1] and backoff[node] == 0:
        node = suffix[node]
    return node


@njit(cache=True)
def lm_step(
    word: I32, first_child: I32, suffix: I32, log_prob: F32, backoff: F32, state: int, w: int
) -> tuple[float, int]:
    """ln p(w | state) and the state after w; start from ``NgramModel.begin``, end with ``EOS``."""
    log_p, node = _find(word, first_child, suffix, log_prob, backoff, state, w)
    return log_p, _shorten(first_child, suffix, backoff, node)


@njit(cache=True)
def _score(
    word: I32,
    first_child: I32,
    suffix: I32,
    log_prob: F32,
    backoff: F32,
    begin: int,
    level_starts: I64,
    text: I32,
    offsets: I64,
) -> tuple[F64, I8, Bool]:
    """The first fields of ``SentenceScores``; ``text`` holds the words without ``</s>``."""
    T = offsets[-1]
    log_p, order, is_oov = np.empty(T), np.empty(T, np.int8), np.empty(T, np.bool_)
    for s in range(len(offsets) - 1):
        state = begin
        for t in range(offsets[s], offsets[s + 1]):
            # Each sentence before this one has a token, its </s>, that text has not.
            w = text[t - s] if t + 1 < offsets[s + 1] else EOS
            log_p[t], node = _find(word, first_child, suffix, log_prob, backoff, state, w)
            state = _shorten(first_child, suffix, backoff, node)
            k = 1
            while node >= level_starts[k]:
                k += 1
            order[t], is_oov[t] = k, w == UNK
    return log_p, order, is_oov


@njit(cache=True)
def _suffix_links(word: I32, parent: I32, first_child: I32) -> I32:
    """The longest proper suffix of each node hw: the first of h′w, h″w, … w that is a node."""
    suffix = np.zeros(len(word), dtype=np.int32)
    for node in range(first_child[1], len(word)):
        h = suffix[parent[node]]
        found = _child(word, first_child, h, word[node])
        while found < 0:
            h = suffix[h]
            found = _child(word, first_child, h, word[node])
        suffix[node] = found
    return suffix
