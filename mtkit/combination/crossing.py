"""New candidates: a translation with one stretch of another's, where what surrounds it is equal.

    y         Für diese  Konto zahlt man nichts .
    z         Für dieses Konto bezahlen Sie nichts .
    of both   Für dieses Konto zahlt man nichts .        Für diese Konto bezahlen Sie nichts .

y and z are compared word by word (the longest common stretch, and so on beside it: Ratcliff &
Metzener 1988); each stretch in which they differ makes a new candidate of either. What nobody has
said as a whole both systems may think best. Numbers, URLs and placeholders stay those of y.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import combinations

from mtkit.system import Hypothesis
from mtkit.text.tokenizer import WordTokenizer, is_verbatim


def crossings(parents: Sequence[Hypothesis], tokenizer: WordTokenizer) -> list[Hypothesis]:
    """All different ones of each two ``parents``; without scores, in no list."""
    known = {tuple(parent.tokens) for parent in parents}
    new = list[Hypothesis]()
    for y, z in combinations(parents, 2):
        matcher = SequenceMatcher(None, y.tokens, z.tokens, autojunk=False)
        for what, a, b, c, d in matcher.get_opcodes():
            if what == "equal":
                continue
            for one, other, (i, j, k, m) in ((y, z, (a, b, c, d)), (z, y, (c, d, a, b))):
                words = (*one.tokens[:i], *other.tokens[k:m], *one.tokens[j:])
                if words and words not in known and _survive(one.tokens, words):
                    known.add(words)
                    links = _links(one.alignment, other.alignment, i, j, k, m)
                    unknown = [word for word in one.unknown if word in words]
                    text = tokenizer.detokenize(words)
                    new.append(Hypothesis(text, list(words), 0.0, alignment=links, unknown=unknown))
    return new


def _survive(parent: Sequence[str], words: Sequence[str]) -> bool:
    """Whether ``words`` have the numbers, URLs and placeholders of ``parent``."""
    return Counter(filter(is_verbatim, words)) == Counter(filter(is_verbatim, parent))


def _links(
    one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]], i: int, j: int, k: int, m: int
) -> list[tuple[int, int]]:
    """Links of the words ``[:i]`` and ``[j:]`` of one and, between them, ``[k:m]`` of the other."""
    longer = (m - k) - (j - i)
    links = [(s, t if t < i else t + longer) for s, t in one if not i <= t < j]
    return sorted([*links, *((s, t + i - k) for s, t in other if k <= t < m)])
