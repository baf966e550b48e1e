"""Random lines of unusual UTF-8 text, determined by the seed."""

from __future__ import annotations

import random

ODD = [
    "|||", "||", "<b>", "</b>", "<s>", "</s>", "<unk>", "<pad>", "{name}", "%s", "%(x)s", "50%",
    "\x00", "\x01", "\x1b[31m", "\x1c", "\x7f", "\x85", "\r", "\t", "\v", "\u00a0", "\u2028",
    "\u2029", "\u200b", "\u200d", "\u200c", "\u200f", "\u202e", "\ufeff", "\ufffd", "\uffff", "￭",
    "％", "％000a", "％000d", "％d800", "🙂", "👍🏽", "👩‍👩‍👧", "שלום", "عالم", "e\u0301\u0323",
    "\u0301", "नमस्ते", "สวัสดี", "你好。", "https://e.org/?a=1&b=2", "a.b@c-d.org", "1,000.5",
    "--", "...", "'s", "n't", "\\", "\"", "\U0010ffff", "ﬁ", "ß", "İ",
]  # fmt: skip
PLAIN = ["the", "a", "man", "is", "here", ".", ",", "?", "where", "train", "to", "Berlin", "two"]
BLANK = ["", " ", "   ", "\t", " \t ", "\u2028", "\u3000", "\x1c"]


def _long(rng: random.Random) -> str:
    n = 5000
    return rng.choice(
        [
            "x" * n,
            "." * n,
            "a." * (n // 2),
            "_" * n,
            "🙂" * n,
            "e\u0301" * (n // 2),
            " " * n + "a",
            " ".join(chr(0x4E00 + i) for i in range(n)),
            " ".join(rng.choices(PLAIN, k=500)),
            "".join(rng.choices(ODD, k=300)),
        ]
    )


def random_lines(n: int, seed: int = 1, huge: int = 30) -> list[str]:
    """Return n lines without line breaks, about ``huge`` of them long."""
    rng = random.Random(seed)
    lines = []
    for _ in range(n):
        kind = rng.random()
        if kind < huge / n:
            line = _long(rng)
        elif kind < 0.1:
            line = rng.choice(BLANK)
        else:
            words = rng.choices(rng.choice([ODD, PLAIN, ODD + PLAIN]), k=rng.randrange(1, 8))
            line = rng.choice(["", " ", " ", "  "]).join(words)
        # A \r at the end would be read as part of the line break \r\n.
        lines.append(line.rstrip("\r").replace("\n", ""))
    return lines
