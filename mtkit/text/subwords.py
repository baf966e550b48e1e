"""Byte-pair encoding (Sennrich et al. 2016): words as sequences of frequent pieces.

The Hugging Face ``tokenizers`` library learns the merges on source and target together, so that
names and numbers are spelled alike on both sides. The last piece of a word ends in ``</w>``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import Split
from tokenizers.trainers import BpeTrainer

from mtkit.storage.reading import damaged, read_json
from mtkit.storage.structure import check_words
from mtkit.text.vocabulary import BOS, EOS, PAD, SPECIALS, UNK

END_OF_WORD = "</w>"


@dataclass(frozen=True)
class Encoded:
    """A sentence in subwords: ``ids`` without specials; piece i belongs to word ``words[i]``."""

    ids: list[int]
    words: list[int]


class Subwords:
    """Word tokens ↔ subword ids; ids 0…3 are the specials of ``mtkit.text.vocabulary``."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        size = tokenizer.get_vocab_size()
        self.pieces: list[str] = [tokenizer.id_to_token(i) or "" for i in range(size)]

    @classmethod
    def train(cls, sentences: Iterable[Sequence[str]], size: int) -> Subwords:
        """Learn at most ``size`` pieces, specials and characters included, with reproducible ids.

        sentences: iterated over twice.
        """
        # The library numbers the last characters of words in the order of a hash table, which
        # differs from run to run. Given as special tokens, they keep the order given.
        endings = sorted({word[-1] + END_OF_WORD for words in sentences for word in words})
        learner = _tokenizer()
        trainer = BpeTrainer(
            vocab_size=size, special_tokens=[*SPECIALS, *endings], end_of_word_suffix=END_OF_WORD,
            show_progress=False,
        )  # fmt: skip
        learner.train_from_iterator((" ".join(words) for words in sentences), trainer)
        # Drop the special tokens but keep the pieces: text that spells one must stay text.
        model = json.loads(learner.to_str())["model"]
        merges = [tuple(merge) for merge in model["merges"]]
        return cls(_tokenizer(vocab=model["vocab"], merges=merges))

    def __len__(self) -> int:
        return len(self.pieces)

    def encode(self, sentences: Sequence[Sequence[str]]) -> list[Encoded]:
        """Return the pieces of each sentence of word tokens (which contain no spaces)."""
        distinct = list(dict.fromkeys(word for words in sentences for word in words))
        encodings = self._tokenizer.encode_batch(distinct, add_special_tokens=False)
        pieces = {
            word: [UNK if i < len(SPECIALS) else i for i in encoding.ids]
            for word, encoding in zip(distinct, encodings, strict=True)
        }
        ids = ([i for word in words for i in pieces[word]] for words in sentences)
        owners = ([k for k, w in enumerate(words) for _ in pieces[w]] for words in sentences)
        return list(map(Encoded, ids, owners))

    def characters(self, word: str) -> list[int]:
        """Return the character ids of a word before any merge; ``UNK`` for an unseen character."""
        letters = [*word[:-1], word[-1] + END_OF_WORD]
        return [UNK if (i := self._id(c)) < len(SPECIALS) else i for c in letters]

    def merges(self) -> list[tuple[int, int, int]]:
        """Return the ids of a, b and ab for each merge a + b → ab, in the order learnt."""
        pairs = json.loads(self._tokenizer.to_str())["model"]["merges"]
        return [(self._id(a), self._id(b), self._id(a + b)) for a, b in pairs]

    def _id(self, piece: str) -> int:
        number: int | None = self._tokenizer.token_to_id(piece)
        return UNK if number is None else number

    def decode(self, ids: Sequence[int], unknown: Sequence[str] = ()) -> list[str]:
        """Return the word tokens that ``ids`` spell, the k-th unknown piece as ``unknown[k]``."""
        words, copies = [], iter(unknown)
        for indices in self.words(ids):
            piece_ids = [ids[k] for k in indices]
            if piece_ids == [UNK]:
                words.append(next(copies, SPECIALS[UNK]))
            else:
                words.append("".join(self.pieces[i] for i in piece_ids).removesuffix(END_OF_WORD))
        return words

    def words(self, ids: Sequence[int]) -> list[list[int]]:
        """Return for each word the indices in ``ids`` of its pieces.

        An unknown piece is a word by itself. Pieces without an ``</w>`` before it, or at the end of
        the sentence, are a word, too.
        """
        words, unfinished = list[list[int]](), False
        for k, i in enumerate(ids):
            if i in (PAD, BOS, EOS):
                continue
            if unfinished and i != UNK:
                words[-1].append(k)
            else:
                words.append([k])
            unfinished = i != UNK and not self.pieces[i].endswith(END_OF_WORD)
        empty = "", END_OF_WORD  # pieces that spell no word
        return [
            indices for indices in words
            if any(ids[k] == UNK or self.pieces[ids[k]] not in empty for k in indices)
        ]  # fmt: skip

    def save(self, path: Path) -> None:
        """Write the JSON format of the library."""
        self._tokenizer.save(str(path))

    @classmethod
    def load(cls, path: Path) -> Subwords:
        """Read vocabulary and merges from a file of ``save``; other settings in it are ignored.

        Raises InputError if they are missing, malformed or inconsistent.
        """
        model = read_json(path, dict).get("model")
        vocabulary, merges = (
            model.get(name) if isinstance(model, dict) else None for name in ("vocab", "merges")
        )
        if not isinstance(vocabulary, dict) or not isinstance(merges, list):
            raise damaged(path, "vocabulary or merges missing")
        check_words(path, list(vocabulary))
        ids = {i for i in vocabulary.values() if type(i) is int}
        if ids != set(range(len(vocabulary))):
            raise damaged(path, "ids are not consecutive numbers from 0")
        if [vocabulary.get(special) for special in SPECIALS] != list(range(len(SPECIALS))):
            raise damaged(path, f"the first pieces must be {', '.join(SPECIALS)}")
        pairs = [tuple(merge) if isinstance(merge, list) else () for merge in merges]
        if not all(_is_merge(pair, vocabulary) for pair in pairs):
            raise damaged(path, "a merge of unknown pieces")
        return cls(_tokenizer(vocab=vocabulary, merges=pairs))


def _is_merge(pair: tuple[Any, ...], vocabulary: dict[str, int]) -> bool:
    """Return whether ``pair`` is two pieces of the vocabulary that make a third one."""
    is_pair = len(pair) == 2 and all(isinstance(piece, str) for piece in pair)
    return is_pair and vocabulary.keys() >= {*pair, "".join(pair)}


def _tokenizer(**learnt: Any) -> Tokenizer:
    tokenizer = Tokenizer(BPE(unk_token=SPECIALS[UNK], end_of_word_suffix=END_OF_WORD, **learnt))
    tokenizer.pre_tokenizer = Split(" ", "removed")  # no other white space: a word may hold it
    return tokenizer
