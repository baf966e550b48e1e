"""New candidates: a translation with one span replaced by the matching span of another.

    y         Für diese  Konto zahlt man nichts .
    z         Für dieses Konto bezahlen Sie nichts .
    crossings Für dieses Konto zahlt man nichts .        Für diese Konto bezahlen Sie nichts .

y and z are compared word by word (the longest common span, then recursively on both sides of it:
Ratcliff & Metzener 1988). Each span in which they differ gives two candidates: y with the span of
z, z with the span of y. Neither system proposed them, but both may score them highest. A crossing
that changes the numbers, URLs or placeholders of the translation it starts from is dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import combinations

from mtkit.system import Hypothesis
from mtkit.text.tokenizer import WordTokenizer, is_verbatim


def crossings(parents: Sequence[Hypothesis], tokenizer: WordTokenizer) -> list[Hypothesis]:
    """Return all distinct crossings of any two ``parents``, with score 0 and no places."""
    seen = {tuple(parent.tokens) for parent in parents}
    new = list[Hypothesis]()
    for y, z in combinations(parents, 2):
        matcher = SequenceMatcher(None, y.tokens, z.tokens, autojunk=False)
        for tag, a, b, c, d in matcher.get_opcodes():
            if tag == "equal":
                continue
            for one, other, (i, j, k, m) in ((y, z, (a, b, c, d)), (z, y, (c, d, a, b))):
                words = (*one.tokens[:i], *other.tokens[k:m], *one.tokens[j:])
                if words and words not in seen and _same_verbatim(one.tokens, words):
                    seen.add(words)
                    links = _links(one.alignment, other.alignment, i, j, k, m)
                    unknown = [word for word in one.unknown if word in words]
                    text = tokenizer.detokenize(words)
                    new.append(Hypothesis(text, list(words), 0.0, alignment=links, unknown=unknown))
    return new


def _same_verbatim(parent: Sequence[str], words: Sequence[str]) -> bool:
    """Whether ``words`` contain exactly the numbers, URLs and placeholders of ``parent``."""
    return Counter(filter(is_verbatim, words)) == Counter(filter(is_verbatim, parent))


def _links(
    one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]], i: int, j: int, k: int, m: int
) -> list[tuple[int, int]]:
    """Return the links of the sentence one[:i] + other[k:m] + one[j:]."""
    shift = (m - k) - (j - i)
    links = [(s, t if t < i else t + shift) for s, t in one if not i <= t < j]
    return sorted([*links, *((s, t + i - k) for s, t in other if k <= t < m)])
