"""The comparison as ``compare --json`` prints it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mtkit.comparison.report import DIFFERENCES, Comparison, Sentences, SystemResult


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Everything the report says. Perplexities and sizes of a curve may be infinite."""
    data = asdict(comparison)
    kept = "pairs", "groupings", "ngrams", "spreads", "seen", "examples", "warnings", "curve"
    return {
        "test": {
            "name": comparison.name,
            "source": comparison.paths[0],
            "reference": comparison.paths[1],
            "languages": list(comparison.languages),
            "sentences": comparison.sentences,
            "references": comparison.references,
            "tokenize": comparison.tokenize,
        },
        "systems": [_system(s, comparison.lengths) for s in comparison.systems],
        **{name: data[name] for name in kept},
    }


def _system(system: SystemResult, lengths: Sequence[Sentences]) -> dict[str, Any]:
    bleu, asked = system.metrics["bleu"], system.glossary
    shown = ("score", "low", "high", "signature")
    kept = ("name", "kind", "seconds", "threads", "sentences_per_second", "bytes", "unknown")
    more = ("channel", "errors", "wider", "coverage", "unknown_words", "unseen", "by_chrf")
    data = asdict(system)
    return {
        **{name: data[name] for name in kept},
        "metrics": {k: {f: getattr(m, f) for f in shown} for k, m in system.metrics.items()},
        "bleu_parts": bleu.parts,
        "bleu_note": bleu.note,
        "length_ratio": bleu.parts["length_ratio"],
        "perplexity": data["perplexity"],
        **{name: data[name] for name in more},
        "by_length": [
            {"low": group.low, "high": group.high, "sentences": len(group.rows), "bleu": score}
            for group, score in zip(lengths, system.by_length, strict=True)
        ],
        "by_difference": [
            {"above": above, "to": to, "sentences": count, "bleu": score}
            for (above, to), (count, score) in zip(DIFFERENCES, system.by_difference, strict=True)
        ],
        "glossary": asked and {"matches": asked.matches, "complied": asked.complied},
    }
