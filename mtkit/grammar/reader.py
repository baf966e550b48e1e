"""Read the file of a grammar; the head of corpora/grammar/en-de.grammar documents the format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, takewhile
from pathlib import Path

from mtkit.errors import InputError
from mtkit.grammar.rules import SOURCE, TARGET, Features, Part, Phrase, Token, Word
from mtkit.text.lines import read_lines

SECTIONS = ("features", "contractions", "words", "phrases", "sentences")
SLOT = re.compile(r"([A-Z]{2,}\d*)((?:[.@]\w+)*)")
TOKEN = re.compile(
    r"(?P<open>[\[<]?)(?P<body>[^\[\]<>?*]+?)(?P<repetition>[?*]?)(?P<close>[\]>]?)"
    r"(?P<punctuation>[.,]?)"
)
BRACKETS = {"[": "]", "<": ">", "": ""}


@dataclass
class Draft:
    """The content of a grammar's file.

    kinds: feature value → its kind. contractions: two words → the word that replaces them. rules:
    by class. sentences: by phenomenon.
    """

    kinds: dict[str, str] = field(default_factory=dict)
    contractions: dict[tuple[str, str], str] = field(default_factory=dict)
    rules: dict[str, list[Word | Phrase]] = field(default_factory=dict)
    sentences: dict[str, list[Phrase]] = field(default_factory=dict)


def read_draft(path: Path) -> Draft:
    """Read a grammar. Raises InputError, naming the file and the line, if it is malformed."""
    draft, section = Draft(), ""
    for where, line in _logical_lines(path).items():
        if header := re.fullmatch(r"\[(.*)\]", line):
            section = header[1]
            if section not in SECTIONS:
                names = ", ".join(SECTIONS)
                raise InputError(f"{where}: unknown section [{section}]; expected one of {names}")
        elif not section:
            raise InputError(f"{where}: expected a section such as [words] first")
        else:
            _read_line(draft, section, line, where)
    if not draft.sentences:
        raise InputError(f"{path}: no sentences; add them under [sentences]")
    for rule in chain(*draft.rules.values(), *draft.sentences.values()):
        if isinstance(rule, Phrase):
            _check_slots(rule, draft)
    return draft


def class_of(slot: str) -> str:
    """Return the class of a slot: ``PERSON2`` → ``PERSON``."""
    return slot.rstrip("0123456789")


def _logical_lines(path: Path) -> dict[str, str]:
    """Return "FILE: line N" → text, without comments; an indented line continues the one before."""
    lines: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), 1):
        text = line.strip()
        if not text or line.startswith("#"):
            continue
        if not line[0].isspace():
            where = f"{path}: line {number}"
            lines[where] = text
        elif lines:
            lines[where] += f" {text}"
        else:
            raise InputError(
                f"{path}: line {number}: indented, but there is no line before to continue"
            )
    return lines


def _read_line(draft: Draft, section: str, line: str, where: str) -> None:
    name, _, body = line.partition(" ")
    if section == "features":
        draft.kinds |= dict.fromkeys(body.split(), name)
    elif section == "contractions":
        if len(words := line.split()) != 3:
            raise InputError(f"{where}: expected two words and their contraction, as `in dem im`")
        draft.contractions[words[0], words[1]] = words[2]
    elif section == "words":
        draft.rules.setdefault(name, []).append(_word(body, draft, where))
    elif section == "phrases":
        draft.rules.setdefault(name, []).append(_phrase(body, draft, where))
    else:
        sentence = _phrase(body, draft, where)
        _check_marks(sentence)
        draft.sentences.setdefault(name, []).append(sentence)


def _split_sides(text: str, where: str) -> tuple[str, str]:
    sides = [side.strip() for side in text.split("|")]
    if len(sides) != 2 or not all(sides):
        raise InputError(f"{where}: expected two sides with one | between them")
    return sides[0], sides[1]


def _features(words: Sequence[str], draft: Draft, where: str) -> dict[str, str]:
    for word in words:
        if word not in draft.kinds:
            raise InputError(f"{where}: unknown feature value {word!r}; add it under [features]")
    return {draft.kinds[word]: word for word in words}


def _split_features(text: str) -> tuple[list[str], str]:
    """Split off leading features: ``(sg) the HUMAN`` → (["sg"], "the HUMAN")."""
    if features := re.match(r"\(([^)]*)\)\s*", text):
        return features[1].split(), text[features.end() :]
    return [], text


def _word(text: str, draft: Draft, where: str) -> Word:
    source, target = _split_sides(text, where)
    features, target = _split_features(target)

    def forms(side: str) -> list[tuple[Features, str]]:
        pairs: list[tuple[Features, str]] = []
        for item in re.split(r",\s*", side):
            words = item.split()  # features first; at least one word is the form
            if not words:
                raise InputError(f"{where}: a form is missing between two commas")
            values = list(takewhile(draft.kinds.__contains__, words[:-1]))
            pairs.append((_features(values, draft, where), " ".join(words[len(values) :])))
        return pairs

    return Word(where, _features(features, draft, where), (forms(source), forms(target)))


def _phrase(text: str, draft: Draft, where: str) -> Phrase:
    declared, text = _split_features(text.strip())
    random_kinds = [word for word in declared if word in draft.kinds.values()]
    features = _features([word for word in declared if word not in random_kinds], draft, where)
    source, target = (
        [_token(word, draft, where) for word in side.split()] for side in _split_sides(text, where)
    )
    return Phrase(where, features, random_kinds, (source, target))


def _token(text: str, draft: Draft, where: str) -> Token:
    token = TOKEN.fullmatch(text)
    if not token or BRACKETS[token["open"]] != token["close"]:
        raise InputError(
            f"{where}: expected a word or a slot, such as X, X?, X*, [X] or <X>; found {text!r}"
        )
    parts = [_part(part, draft, where) for part in token["body"].split("+")]
    return Token(parts, token["open"], token["repetition"], token["punctuation"])


def _part(text: str, draft: Draft, where: str) -> Part:
    if not (slot := SLOT.fullmatch(text)):
        return Part(text)
    marks = re.findall(r"([.@])(\w+)", slot[2])
    features = _features([value for sign, value in marks if sign == "."], draft, where)
    return Part(slot[1], True, features, [value for sign, value in marks if sign == "@"])


def _check_marks(sentence: Phrase) -> None:
    """Raise InputError unless the marks are [X] and [Y], or [X] and <Y>, with at most one ``*``."""
    source, target = sentence.sides
    brackets = sorted(token.bracket for token in target if token.bracket)
    if any(token.bracket for token in source) or brackets not in (["[", "["], ["<", "["]):
        raise InputError(
            f"{sentence.where}: mark two words of the target side, as [X] and [Y] or as [X] and <Y>"
        )
    if "<" in brackets and [len(t.slots) for t in target if t.bracket == "["] != [1]:
        raise InputError(
            f"{sentence.where}: if the sentence has a contrast <Y>, [X] must be a single slot"
        )
    if sum(token.repetition == "*" for token in target) > 1:
        raise InputError(f"{sentence.where}: X* may occur only once, as it sets the distance")


def _check_slots(phrase: Phrase, draft: Draft) -> None:
    """Raise InputError if a slot of a phrase breaks one of these rules.

    Each slot has a class, and the same ``?`` or ``*`` on both sides; a slot on one side only has a
    class with one member; ``@NAME`` refers to a slot that is always present.
    """
    names = [
        {name: token.repetition for token in side for name in token.slots} for side in phrase.sides
    ]
    for name, sign in (names[SOURCE] | names[TARGET]).items():
        if class_of(name) not in draft.rules:
            raise InputError(f"{phrase.where}: {name}: no word or phrase of this class is defined")
        if any(name not in side for side in names) and len(draft.rules[class_of(name)]) > 1:
            raise InputError(
                f"{phrase.where}: {name} is on one side only, so its class may have only one member"
            )
        if any(side.get(name, sign) != sign for side in names):
            raise InputError(f"{phrase.where}: {name} has ? or * on one side only; mark both")
    parts = (part for token in chain(*phrase.sides) for part in token.parts)
    for name in chain.from_iterable(part.agrees for part in parts):
        if phrase.slots.get(name) != "":
            raise InputError(f"{phrase.where}: @{name} must refer to a slot {name} without ? or *")
