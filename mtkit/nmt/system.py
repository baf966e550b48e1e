"""The neural translator as a ``System``: raw text in, raw text out."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Self

import torch
from safetensors.torch import load_file, save_file

from mtkit.console import note
from mtkit.corpus import Bitext, Corpus, hold_out
from mtkit.errors import InputError
from mtkit.manifest import Manifest, describe_corpus, replacing, save_training_hashes
from mtkit.nmt import checkpoint
from mtkit.nmt.data import Data, batch_rows
from mtkit.nmt.model import ModelConfig, Seq2Seq
from mtkit.nmt.recipe import TrainConfig
from mtkit.nmt.search import Output, beam_search, unknown_positions
from mtkit.nmt.train import Run, log_probabilities, train
from mtkit.pieces import by_pieces, cut
from mtkit.subwords import Encoded, Subwords
from mtkit.system import Hypothesis, LogProbability, Score
from mtkit.tokenizer import WordTokenizer
from mtkit.vocabulary import EOS, UNK

LONGEST = TrainConfig.max_length  # subwords that are translated at once, as in training
BEAMS = 320  # hypotheses that are searched at once: what bounds the memory


class NmtSystem:
    """LSTM encoder-decoder, BPE and word tokenizer together; meets ``mtkit.system.System``."""

    kind: ClassVar[str] = "nmt"

    def __init__(
        self,
        model: Seq2Seq,
        subwords: Subwords,
        tokenizer: WordTokenizer,
        beam: int = 5,
        normalisation: float = 1.0,
    ) -> None:
        self.model = model.eval()
        self.subwords = subwords
        self.tokenizer = tokenizer
        self.beam = beam
        self.normalisation = normalisation

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a model directory.

        Raises FileNotFoundError or KeyError where it is not whole, of which ``mtkit.load`` makes
        an InputError.
        """
        manifest = Manifest.read(directory)
        config = ModelConfig(**json.loads((directory / "model.json").read_text("utf-8")))
        model = Seq2Seq(config)
        model.load_state_dict(load_file(directory / "weights.safetensors"))
        return cls(
            model,
            Subwords.load(directory / "subwords.json"),
            WordTokenizer(**manifest.tokenizer),
            beam=manifest.config["beam"],
            normalisation=manifest.config["normalisation"],
        )

    def save(self, directory: Path) -> None:
        """Write weights, shape and subwords, all but the manifest."""
        save_file(self.model.state_dict(), directory / "weights.safetensors")
        text = json.dumps(asdict(self.model.config), indent=2)
        (directory / "model.json").write_text(text + "\n", encoding="utf-8")
        self.subwords.save(directory / "subwords.json")

    def tokenize(self, sentences: Sequence[str]) -> list[list[str]]:
        """The word tokens of each sentence, before subwords."""
        return [self.tokenizer.tokenize(sentence) for sentence in sentences]

    def translate(self, sentences: Sequence[str], n_best: int = 1) -> list[list[Hypothesis]]:
        """See ``System``. The score is ln P(y|x) divided by the length in subwords.

        Of a line in pieces it is the mean of theirs. A word of more than ``LONGEST`` subwords is
        none that can be translated: it is copied, at score 0.
        """
        words = self.tokenize([sentence if sentence.strip() else "" for sentence in sentences])
        spans = [
            cut(w, [pieces[i] for i in range(len(w))], LONGEST)
            for w, pieces in zip(
                words, (Counter(e.words) for e in self.subwords.encode(words)), strict=True
            )
        ]
        translate = partial(self._translate, n_best=n_best)
        found = by_pieces(words, spans, translate, n_best, self.tokenizer.detokenize)
        return [[replace(h, score=h.score / h.pieces) for h in line] for line in found]

    def _translate(self, words: list[Sequence[str]], n_best: int) -> list[list[Hypothesis]]:
        encoded = self.subwords.encode(words)
        result = [[self._copied(w)] for w in words]
        rows = [i for i, e in enumerate(encoded) if len(e.ids) <= LONGEST]
        sources = [encoded[i].ids for i in rows]
        beam = max(self.beam, n_best)
        for batch in batch_rows(sources, max(1, BEAMS // beam)):
            x = torch.tensor([[*sources[r], EOS] for r in batch], dtype=torch.int64)
            found = beam_search(self.model, x, beam, self.normalisation)
            for r, outputs in zip(batch, found, strict=True):
                i = rows[r]
                made = [self._hypothesis(output, words[i], encoded[i]) for output in outputs]
                distinct = {h.text: h for h in reversed(made)}
                best = sorted(distinct.values(), key=lambda h: -h.score)
                result[i] = best[:n_best]
        return result

    def _copied(self, words: Sequence[str]) -> Hypothesis:
        text = self.tokenizer.detokenize(words)
        return Hypothesis(text, list(words), 0.0, alignment=[(0, 0)], unknown=list(words))

    def _hypothesis(self, output: Output, words: Sequence[str], source: Encoded) -> Hypothesis:
        def word_at(position: int) -> int:
            return source.words[min(position, len(source.words) - 1)]

        copied = [words[word_at(position)] for position in unknown_positions(output)]
        tokens = self.subwords.decode(output.ids, copied)
        spelled = [self.subwords.pieces[i] for i in (*output.ids, EOS)]
        links, target = set(), 0
        for i, position in zip(output.ids, output.attention, strict=True):
            if position < len(source.words):
                links.add((word_at(position), target))
            target += i == UNK or self.subwords.pieces[i].endswith("</w>")
        return Hypothesis(
            text=self.tokenizer.detokenize(tokens),
            tokens=tokens,
            score=output.score,
            alignment=sorted(links) if self.model.config.attention != "none" else [],
            token_logprobs=list(zip(spelled, output.logprobs, strict=True)),
            unknown=copied,
        )

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        """See ``System``: ``direct`` of each pair, for the target's own segmentation."""
        data = self.data(Bitext([s for s, _ in pairs], [t for _, t in pairs], (Path(), Path())))
        values = log_probabilities(self.model, data)
        return [
            Score(direct=LogProbability(value, words + 1), why="a neural model has no derivations")
            for value, words in zip(values, data.target_words, strict=True)
        ]

    def data(self, text: Bitext) -> Data:
        """Raw parallel text as subword ids."""
        return encode(text, self.tokenizer, self.subwords)


def set_threads(threads: int) -> None:
    """Let torch compute in so many threads."""
    torch.set_num_threads(threads)


def encode(text: Bitext, tokenizer: WordTokenizer, subwords: Subwords) -> Data:
    """Raw parallel text as subword ids."""
    source = [tokenizer.tokenize(line) for line in text.source]
    target = [tokenizer.tokenize(line) for line in text.target]
    return Data(
        [e.ids for e in subwords.encode(source)],
        [e.ids for e in subwords.encode(target)],
        [len(words) for words in target],
    )


def train_nmt(
    corpus: Corpus,
    tokenizer: WordTokenizer,
    config: TrainConfig,
    out: Path,
    resume: bool = False,
) -> Manifest:
    """Train on ``corpus`` and write the model directory ``out``.

    What an interruption leaves beside ``out`` is gone on with if ``resume``, else started anew.
    Raises InputError where there is none, or one of another text or other settings.
    """
    train_text, dev_text = corpus.train.without_empty(), corpus.dev
    if dev_text is None:
        train_text, dev_text = hold_out(train_text, 20)
        note(f"no dev set: {len(dev_text)} pairs of the training text are held out for it")
    with replacing(out) as directory:
        words = [
            [tokenizer.tokenize(line) for line in side]
            for side in (train_text.source, train_text.target)
        ]
        tokens = sum(len(sentence) for sentence in words[1])
        size = config.vocabulary or max(500, min(32000, 8 * math.isqrt(tokens)))
        config = replace(config, vocabulary=size)
        subwords = Subwords.train((s for side in words for s in side), size)
        data = _short(encode(train_text, tokenizer, subwords), config.max_length)
        dev = encode(dev_text.without_empty(), tokenizer, subwords)
        unfinished = checkpoint.path_of(out)
        run = Run(config, len(subwords), data, dev, partial(spell, subwords), unfinished)
        parameters = sum(p.numel() for p in run.model.parameters())
        note(f"{len(subwords)} subwords, {parameters / 1e6:.1f} M parameters")
        if resume:
            run.restore()
            note(f"going on from update {run.update} of {run.config.updates}")
        elif unfinished.exists():
            note(f"{unfinished}: an unfinished training that starts anew; --resume goes on with it")
        model = train(run)
        system = NmtSystem(model, subwords, tokenizer)
        system.save(directory)
        lines = [json.dumps(entry) + "\n" for entry in run.history]
        (directory / "log.jsonl").write_text("".join(lines), encoding="utf-8")
        save_training_hashes(corpus, directory)
        manifest = Manifest(
            kind="nmt",
            languages=corpus.pair,
            corpus=describe_corpus(corpus),
            tokenizer=asdict(tokenizer),
            config={**asdict(run.config), "beam": system.beam, "normalisation": 1.0},
            figures={
                "dev_perplexity": run.best[0],
                "best_update": run.best[1],
                "parameters": parameters,
                "skipped_updates": int(run.skipped),
            },
        )
        manifest.write(directory)
    unfinished.unlink(missing_ok=True)
    return manifest


def spell(subwords: Subwords, ids: Sequence[int]) -> str:
    """The words that ``ids`` make, with spaces between."""
    return " ".join(subwords.decode(ids))


def _short(data: Data, limit: int) -> Data:
    """The pairs of at most ``limit`` subwords a side, said where any are left out."""
    kept = [
        i
        for i, (s, t) in enumerate(zip(data.sources, data.targets, strict=True))
        if 0 < len(s) <= limit and 0 < len(t) <= limit
    ]
    if len(kept) < len(data):
        note(f"{len(data) - len(kept)} pairs longer than {limit} subwords are left out")
    if not kept:
        raise InputError(f"no training pair has at most {limit} subwords on both sides")
    return Data(
        [data.sources[i] for i in kept],
        [data.targets[i] for i in kept],
        [data.target_words[i] for i in kept],
    )
