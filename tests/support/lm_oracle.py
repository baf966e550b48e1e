"""Reference implementations of ``smt.language_model.ngrams``, over dicts of word tuples.

Imports nothing of mtkit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

Gram = tuple[str, ...]


class KneserNey:
    """Interpolated modified Kneser-Ney (Chen & Goodman 1998), with lmplz's special cases.

    Pruning removes the n-grams of order k ≥ 2 that occur at most ``prune[k - 1]`` times.
    """

    def __init__(
        self, sentences: Iterable[Sequence[str]], order: int, prune: Sequence[int] = ()
    ) -> None:
        self.order = order
        c: Counter[Gram] = Counter()
        for sentence in sentences:
            padded = ("<s>", *sentence, "</s>")
            for n in range(1, order + 1):
                c.update(padded[i : i + n] for i in range(len(padded) - n + 1))
        self.predicted = {w for (w,) in (g for g in c if len(g) == 1)} - {"<s>"} | {"<unk>"}
        del c[("<s>",)]  # never predicted
        self.a = {
            g: c[g] if len(g) == order or g[0] == "<s>" else len({f[0] for f in c if f[1:] == g})
            for g in c
        }
        threshold = dict(enumerate(prune, start=1))
        self.pruned = {g for g in c if len(g) > 1 and c[g] <= threshold.get(len(g), 0)}
        self.D = {n: self._discounts(n) for n in range(1, order + 1)}

    def _discounts(self, n: int) -> list[float]:
        t = [0] + [sum(a == r for g, a in self.a.items() if len(g) == n) for r in (1, 2, 3, 4)]
        if not (t[1] and t[2] and t[3]):
            return [0.0, 0.5, 1.0, 1.5]
        Y = t[1] / (t[1] + 2 * t[2])
        D = [0.0, 1 - 2 * Y * t[2] / t[1], 2 - 3 * Y * t[3] / t[2], 3 - 4 * Y * t[4] / t[3]]
        in_range = 0 < D[1] <= 1 and 0 < D[2] <= 2 and 0 < D[3] <= 3
        return D if in_range else [0.0, 0.5, 1.0, 1.5]

    def p(self, w: str, history: Sequence[str]) -> float:
        """Return p(w | history); w: in ``predicted`` or any unknown word."""
        h = tuple(history)[max(0, len(history) - self.order + 1) :]
        seen = {g: a for g, a in self.a.items() if len(g) == len(h) + 1 and g[:-1] == h}
        lower = self.p(w, h[1:]) if h else 1 / len(self.predicted)
        if not seen:
            return lower
        D = self.D[len(h) + 1]
        kept = {g: a for g, a in seen.items() if g not in self.pruned}
        N = [sum(a == r for a in kept.values()) for r in (0, 1, 2)]
        N.append(sum(a >= 3 for a in kept.values()))
        pruned = sum(seen.values()) - sum(kept.values())
        gamma = (D[1] * N[1] + D[2] * N[2] + D[3] * N[3] + pruned) / sum(seen.values())
        a = kept.get((*h, w), 0)
        return (a - D[min(a, 3)]) / sum(seen.values()) + gamma * lower


class Arpa:
    """The model of an ARPA file: the listed log10 p, or the backoff and a shorter history."""

    def __init__(self, text: str) -> None:
        self.p: dict[Gram, float] = {}
        self.b: dict[Gram, float] = {}
        n = 0
        for line in text.split("\n"):
            if line.endswith("-grams:"):
                n = int(line[1 : line.index("-")])
            elif n and line and not line.startswith("\\"):
                fields = line.split("\t")
                gram = tuple(fields[1].split(" "))
                assert len(gram) == n
                self.p[gram] = float(fields[0])
                self.b[gram] = float(fields[2]) if len(fields) > 2 else 0.0
        self.order = n

    def ln_p(self, w: str, history: Sequence[str]) -> float:
        """Return ln p(w | history)."""
        w = w if (w,) in self.p else "<unk>"
        h = tuple(v if (v,) in self.p else "<unk>" for v in history)
        h = h[max(0, len(h) - self.order + 1) :]
        if (*h, w) in self.p:
            return self.p[(*h, w)] * math.log(10)
        return self.b.get(h, 0.0) * math.log(10) + self.ln_p(w, h[1:])
