"""Read and write Moses models (Koehn et al. 2007): moses.ini, its tables and an ARPA file.

    [feature]            TYPE name=NAME path=FILE num-features=K …
    [weight]             NAME= λ_1 … λ_K
    [distortion-limit]   d

The score of Moses is Σ_k λ_k f_k, as in mtkit. Its features are those of mtkit up to a constant
factor, see ``FEATURES``. ``tables`` reads and writes the files that ``path`` names. Limits: one
phrase table, one reordering model, one language model, no factors, no binary files. Moses cannot
represent ``context`` and the protection of verbatim words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from mtkit.console import note, step
from mtkit.errors import InputError
from mtkit.smt.language_model.arpa import read_arpa, write_arpa
from mtkit.smt.moses.tables import (
    CHANNEL_FIRST,
    LOWEST,
    Words,
    assemble,
    read_phrases,
    read_table,
    write_tables,
)
from mtkit.smt.phrases.context import Lexicon
from mtkit.smt.phrases.extract import MAX_PHRASE
from mtkit.smt.search.decoder import MAX_LIMIT, Limits
from mtkit.smt.search.features import NAMES, OF_PHRASES, OF_REORDERING
from mtkit.smt.system import Models, SmtSystem
from mtkit.storage.reading import MAX_WEIGHT
from mtkit.text.lines import read_lines
from mtkit.text.tokenizer import WordTokenizer
from mtkit.text.vocabulary import SPECIALS, Vocabulary

TABLE, LM, REORDERINGS = "PhraseDictionaryMemory", "KENLM", "LexicalReordering"
# Moses's features: the names in mtkit, in Moses's order, and the factor: f of Moses = factor · f.
FEATURES: dict[str, tuple[Sequence[str], float]] = {
    REORDERINGS: (OF_REORDERING, 1),  # six ln; 0 without the pair
    "Distortion": (["distortion"], 1),  # −(distance)
    LM: (["lm"], 1),  # ln P(y)
    "WordPenalty": (["words"], -1),  # −(number of words)
    "PhrasePenalty": (["phrases"], 1),  # number of phrases
    TABLE: ([OF_PHRASES[k] for k in CHANNEL_FIRST], 1),  # four ln, at least −100
    "UnknownWordPenalty": (["unknown"], LOWEST),  # −100 · (number of words copied)
}
LM_READERS = ("SRILM", "IRSTLM")  # also language models that read ARPA files
BIDIRECTIONAL = ("wbe-msd-bidirectional-fe", "wbe-msd-bidirectional-fe-allff")
READ_SECTIONS = {"input-factors", "mapping", "distortion-limit", "feature", "weight"}
UNLIMITED = 1000  # translations per phrase that stand for table-limit=0 (unlimited)
MARK = "moses.ini"
PHRASES, ORIENTATIONS = "phrase-table.gz", f"reordering-table.{BIDIRECTIONAL[0]}.gz"
INI = f"""\
[input-factors]
0

[mapping]
0 T 0

[distortion-limit]
{{distortion}}

[feature]
UnknownWordPenalty
WordPenalty
PhrasePenalty
PhraseDictionaryMemory name=TranslationModel0 num-features=4 path={PHRASES} \
input-factor=0 output-factor=0 table-limit={{limit}}
LexicalReordering name=LexicalReordering0 num-features=6 type={BIDIRECTIONAL[1]} \
input-factor=0 output-factor=0 path={ORIENTATIONS}
Distortion
KENLM name=LM0 factor=0 path=lm.arpa.gz order={{order}}

[weight]
{{weights}}
"""


class Feature(NamedTuple):
    """A line of [feature]: its place for messages, its options, and its weights."""

    where: str
    options: dict[str, str]
    weights: list[float]


# --- reading


def read_moses(ini: Path, lowercase: bool = False) -> SmtSystem:
    """Read the system that ``ini`` describes, for tokenised text; print notes on what is missing.

    Raises InputError, naming file and line, for anything missing, damaged, binary or unsupported.
    """
    features, distortion = _read_ini(ini)
    with step("language model"):
        lm = read_arpa(_feature_file(features[LM], ini))
    for remark in lm.notes:
        note(f"  language model: {remark}")
    weights = _weights(features)
    with step("phrase table"):
        source, target = Words(), Words()
        lines = read_phrases(_feature_file(features[TABLE], ini), source, target)
        x, y = (Vocabulary([word.decode() for word in side]) for side in (source, target))
    if lines.left_out:
        note(
            f"  phrase pairs left out: {lines.left_out:,} (more than {MAX_PHRASE} words on a side, "
            f"or one of {' '.join(SPECIALS)})"
        )
    path = _feature_file(features[REORDERINGS], ini) if REORDERINGS in features else None
    with step("reordering table"):
        reordering = read_table(path, 6, source, target) if path else ()
        table = assemble(lines, reordering, weights, lm.arrays, lm.encode(y.words))
    if path and (n_missing := int((table.reordering == 0).all(1).sum())):
        note(f"  phrase pairs missing in the reordering table: {n_missing:,}; scored as 0 there")
    models = Models(x, y, table, lm, Lexicon.empty(len(x)))
    limit = _parse_int(features[TABLE].options.get("table-limit", "20"), features[TABLE].where)
    if limit < 0:
        raise InputError(f"{features[TABLE].where}: table-limit must not be below 0")
    if max(limit, abs(distortion)) > MAX_LIMIT:
        raise InputError(f"{ini}: table-limit and distortion-limit must be at most {MAX_LIMIT:,}")
    if limit == 0:
        note(f"  table-limit=0: limited to the {UNLIMITED:,} best translations per phrase")
    limits = Limits(distortion=distortion, table=limit or UNLIMITED)
    tokenizer = WordTokenizer("none", lowercase)
    return SmtSystem(models, tokenizer, weights, limits, verbatim=False)


def _read_ini(ini: Path) -> tuple[dict[str, Feature], int]:
    """Return the features by type, any language model as ``LM``, and the distortion limit."""
    sections = _sections(ini)
    weights, features = dict[str, list[float]](), dict[str, Feature]()
    for where, text in sections.get("weight", []):
        name, _, values = text.partition("=")
        try:
            weights[name.strip()] = [float(value) for value in values.split()]
        except ValueError:
            raise InputError(f"{where}: expected NAME= and numbers, found {text!r}") from None
    for where, text in sections["feature"]:
        kind, *pairs = text.split()
        options = dict(pair.partition("=")[::2] for pair in pairs)
        name = options.get("name", f"{kind}0")  # a second feature of a type is refused below
        feature = Feature(where, options, weights.get(name, []))
        kind = LM if kind in LM_READERS else kind
        if kind not in FEATURES and feature.weights and not any(feature.weights):
            continue  # all weights are 0: the feature has no effect
        _check_feature(kind, name, feature)
        if kind in features:
            raise InputError(f"{where}: a second {kind}; mtkit supports only one")
        features[kind] = feature
    if missing := [kind for kind in (TABLE, LM) if kind not in features]:
        raise InputError(f"{ini}: [feature] lacks {missing[0]}, which mtkit requires")
    where, text = (sections.get("distortion-limit") or [("", "6")])[0]  # 6: default of Moses
    return features, _parse_int(text, where)


def _sections(ini: Path) -> dict[str, list[tuple[str, str]]]:
    """Return the lines of each section, each with its place for messages."""
    sections = dict[str, list[tuple[str, str]]]()
    for number, line in enumerate(read_lines(ini), 1):
        text = line.partition("#")[0].strip()
        if text.startswith("["):
            section = sections.setdefault(text.strip("[]"), [])
        elif text and sections:
            section.append((f"{ini}: line {number}", text))
    if "feature" not in sections:
        raise InputError(f"{ini}: no [feature]; only files of Moses 1.0 and later can be read")
    if ignored := sorted(set(sections) - READ_SECTIONS):
        note(f"  settings ignored: {', '.join(ignored)}")
    for where, text in sections.get("mapping", []):
        if text.split() != ["0", "T", "0"]:
            raise InputError(
                f"{where}: mtkit supports only the mapping 0 T 0: one table, no factors"
            )
    return sections


def _check_feature(kind: str, name: str, feature: Feature) -> None:
    """Raise InputError for a feature or options that mtkit does not support."""
    where, options, weights = feature
    if kind.startswith(("PhraseDictionary", "ProbingPT")) and kind != TABLE:
        raise InputError(f"{where}: {kind} is a binary table; use the text table, {TABLE}")
    if kind not in FEATURES:
        raise InputError(f"{where}: mtkit does not support the feature {kind}; remove it")
    size = len(FEATURES[kind][0])
    if _parse_int(options.get("num-features", str(size)), where) != size:
        raise InputError(f"{where}: {kind} must have num-features={size}")
    if kind == REORDERINGS and options.get("type") not in BIDIRECTIONAL:
        raise InputError(
            f"{where}: mtkit supports only reordering models of type={BIDIRECTIONAL[0]}"
        )
    if any(options.get(f, "0") != "0" for f in ("factor", "input-factor", "output-factor")):
        raise InputError(f"{where}: mtkit does not support factors; all must be 0")
    if len(weights) != size:
        raise InputError(f"{where}: {name} needs {size} weights; [weight] has {len(weights)}")
    most = MAX_WEIGHT / abs(FEATURES[kind][1])
    if not all(abs(weight) <= most for weight in weights):  # refuses NaN, too
        raise InputError(
            f"{where}: the weights of {name} in [weight] must be finite numbers up to {most:,.0f}"
        )


def _parse_int(text: str, where: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{where}: expected a whole number, found {text!r}") from None


def _weights(features: dict[str, Feature]) -> dict[str, float]:
    """Return λ by mtkit's names, see ``FEATURES``; 0 for features that [feature] lacks."""
    λ = dict.fromkeys(NAMES, 0.0)
    for kind, feature in features.items():
        names, scale = FEATURES[kind]
        λ |= {name: scale * x for name, x in zip(names, feature.weights, strict=True)}
    return λ


def _feature_file(feature: Feature, ini: Path) -> Path:
    """Return the file that ``path`` names, relative to ``ini``; like Moses, also try FILE.gz."""
    if "path" not in feature.options:
        raise InputError(f"{feature.where}: no path=FILE")
    path = ini.parent / feature.options["path"]
    packed = path.with_name(path.name + ".gz")
    if not path.exists() and not packed.exists():
        raise InputError(f"{feature.where}: {path}: no such file")
    return path if path.exists() else packed


# --- writing


def write_moses(system: SmtSystem, directory: Path) -> None:
    """Write ``system`` into ``directory``, always with the same bytes; notes say what is lost.

    Raises InputError for a word that Moses's formats cannot represent.
    """
    models = system.models
    source, target, lm_words = (
        _escaped(words) for words in (models.source.words, models.target.words, models.lm.words)
    )
    with step("tables"):
        files = directory / PHRASES, directory / ORIENTATIONS
        left_out = write_tables(models.table, source, target, *files)
    with step("language model"):
        words = [word.decode() for word in lm_words]
        write_arpa(replace(models.lm, words=words), directory / "lm.arpa.gz")
    (directory / MARK).write_text(_ini_text(system), encoding="utf-8")
    note("  Moses reads tokenised text: use the model's tokenizer, with spaces between tokens")
    if system.weights["context"]:
        note("  not exported: the discriminative lexicon (`context`), so that scores differ")
    if system.verbatim:
        note("  not exported: the protection of numbers, URLs and placeholders")
    if any(b"&#124;" in word for word in (*source, *target)):
        note("  | is written as &#124;, as Moses requires; replace it in its input, too")
    if left_out:
        note(f"  not exported: {left_out:,} phrase pairs with a word spelled like a special symbol")


def _escaped(words: list[str]) -> list[bytes]:
    """Return the words, escaped like Moses's tokenizer does it, as UTF-8.

    Raises InputError for a word with white space and for two words that become the same.
    """
    escaped = [word.replace("|", "&#124;").encode() for word in words]
    for word in escaped:
        if word.split() != [word]:
            raise InputError(
                f"the word {word.decode()!r} cannot be written in the formats of Moses"
            )
    if len(set(escaped)) < len(escaped):
        raise InputError(
            "the model has words that differ only in | and &#124;, which Moses confuses"
        )
    return escaped


def _ini_text(system: SmtSystem) -> str:
    """Return the text of moses.ini."""
    λ, limits, alias = system.weights, system.limits, {LM: "LM", TABLE: "TranslationModel"}
    lines = []
    for kind, (names, scale) in FEATURES.items():
        values = " ".join(f"{λ[name] / scale:.9g}" for name in names)
        lines.append(f"{alias.get(kind, kind)}0= {values}")
    order, weights = system.models.lm.order, "\n".join(lines)
    return INI.format(
        distortion=limits.distortion, limit=limits.table, order=order, weights=weights
    )
