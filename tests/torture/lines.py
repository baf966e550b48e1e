"""Translate hostile lines: each must give one line; peak memory is printed."""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from pathlib import Path

from tests.support.command import MTKIT

CODE = "import resource, sys; from mtkit.__main__ import main\ntry: main()\nfinally: print(" \
       "'peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"  # fmt: skip
SCRIPTS = [(0x20, 0x7F), (0xA0, 0x250), (0x370, 0x600), (0x900, 0xE80), (0x2000, 0x2070),
           (0x3040, 0xA000), (0xE000, 0xE010), (0xFE00, 0x10000), (0x1F300, 0x1FA00),
           (0x0, 0x20)]  # fmt: skip
PIECES = [
    "￭", "％000a", "％d800", "<s>", "</s>", "<unk>", "|||", "\r", "\t", "\u2028", "\x00", "\ufeff",
    "http://a.b/c", "%s", "{x}", "<b>", "1,000.50", "n't", "-" * 300, "a" * 5000, "\u0301" * 50,
]  # fmt: skip


def hostile(n: int, seed: int) -> bytes:
    """Return n lines of characters of all scripts and of the tokenizer's special strings."""
    rng = random.Random(seed)
    lines = []
    for _ in range(n):
        words = []
        for _ in range(rng.choice([0, 1, 3, 10, 40])):
            first, last = rng.choice(SCRIPTS)
            word = "".join(chr(rng.randrange(first, last)) for _ in range(rng.choice([1, 4, 12])))
            words.append(rng.choice([word, rng.choice(PIECES)]))
        lines.append(rng.choice([" ", "", "  "]).join(words).replace("\n", " "))
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def torture(made: Path, n: int, million: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Translate n hostile lines, lines of 1 MB and ``million`` usual ones with each system."""
    usual = (made / "train.en").read_bytes().splitlines(keepends=True)
    long = [b"x" * 1_000_000, b"a b " * 250_000, "日本語".encode() * 110_000, b". " * 500_000]
    texts = {
        "hostile lines": hostile(n, seed),
        "lines of 1 MB": b"".join(line + b"\n" for line in long),
        "usual lines": b"".join(usual[i % len(usual)] for i in range(million // 10)),
        "ten times as many": b"".join(usual[i % len(usual)] for i in range(million)),
    }
    tally, faults = Counter[str](), list[str]()
    for kind in ("smt", "nmt", "combined"):
        peaks = {}
        for what, text in texts.items():
            if kind == "combined" and what in ("usual lines", "ten times as many"):
                continue
            call = [MTKIT[0], "-c", CODE, "translate", "--model", f"models/{kind}", "-q"]
            done = subprocess.run(call, cwd=made, input=text, capture_output=True, check=False)
            peaks[what] = int(done.stderr.split()[-1]) / 1024 if done.stderr else 0.0
            came, went = done.stdout.count(b"\n"), text.count(b"\n")
            tally[f"{kind}, {what}"] = went
            if done.returncode or came != went:
                faults.append(
                    f"{kind}, {what}: exit {done.returncode}, {came:,} lines of {went:,}: "
                    f"{done.stderr.decode(errors='replace')[-150:]}"
                )
        print(f"peak MB of {kind}:", {what: round(peak) for what, peak in peaks.items()})
    return tally, faults
