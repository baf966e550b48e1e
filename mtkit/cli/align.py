"""``mtkit align``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

import mtkit.cli.completion as completion
import mtkit.cli.options as options
from mtkit.console import note
from mtkit.errors import InputError
from mtkit.text.tokenizer import WordTokenizer

if TYPE_CHECKING:
    from mtkit.text.corpus import Corpus

Stdin = Annotated[bool, Option("--stdin", help="Read lines `source ||| target` from stdin.")]
Model = Annotated[
    Path | None,
    Option(
        metavar="DIR",
        help="Align with an existing model (from --out or train-smt) and its tokenizer, without "
        "training on the text. Faster, but slightly less accurate.",
        autocompletion=completion.models,
    ),
]
Out = Annotated[Path | None, Option(metavar="DIR", help="Save the alignment model, for --model.")]
Gold = Annotated[
    Path | None,
    Option(
        metavar="FILE",
        help="Manual alignment of the first pairs, one line `0-0 1-2 …` per pair: report AER, "
        "precision and recall.",
    ),
]
Probabilities = Annotated[
    bool, Option("--probabilities", help="Print the probability of each link, as in 3-4:0.93.")
]
Score = Annotated[
    bool,
    Option(
        "--score",
        help="Append ' ||| ' and ln P(target|source) divided by the number of target words, for "
        "filtering pairs.",
    ),
]
Aligner = Annotated[
    str | None,
    Option(
        metavar="MODEL",
        help="ibm1, diagonal (Model 2 as in fast_align), hmm, or fertility (Gibbs sampling; the "
        "most accurate). [fertility; if --score is given: hmm, which detects wrong pairs better]",
        autocompletion=completion.among("ibm1", "diagonal", "hmm", "fertility"),
    ),
]


def align(
    train: options.Train = None, file_format: options.FileFormat = None,
    corpus: options.CorpusName = None, pair: options.Pair = None,
    stdin: Stdin = False, tokenizer: options.Tokenizer = "words",
    lowercase: options.Lowercase = False, aligner: Aligner = None,
    symmetrize: options.Symmetrize = "grow-diag-final-and", model: Model = None, out: Out = None,
    force: options.Force = False, gold: Gold = None, probabilities: Probabilities = False,
    score: Score = False, threads: options.Threads = 0,
    quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Align the words of a corpus.

    Prints a line per sentence pair with its links: positions source-target, from 0.
    """
    import mtkit
    from mtkit.manifest import UND, Manifest
    from mtkit.models import check_kept
    from mtkit.smt.alignment.align import aer
    from mtkit.smt.alignment.symmetrize import read_gold
    from mtkit.text.corpus import refuse_exchanged

    cores = options.set_up(quiet, threads)
    check_kept(out, model, force)  # before the text is read
    if stdin:
        text, words = _from_stdin(train, corpus, pair), WordTokenizer(tokenizer, lowercase)
    else:
        text, words = options.training_text(
            corpus, pair, train, None, None, tokenizer, lowercase, file_format,
            unnamed=(UND, UND),  # alignment does not depend on the language
        )  # fmt: skip
    if model is not None:
        manifest = Manifest.read(model)
        words = manifest.word_tokenizer
        if train:
            refuse_exchanged("--train", train, manifest.languages)
    by_hand = read_gold(gold, *text.train.tokens(words)) if gold else []
    links = mtkit.align(text, words, aligner, symmetrize, model, out, force, cores, score)
    if out is not None:
        note(f"model: {out}")
    if by_hand:
        rates = aer([set(sentence) for sentence in links.by_sentence()[: len(by_hand)]], by_hand)
        quality = "AER {:.4f}  precision {:.4f}  recall {:.4f}".format(*rates)
        print(quality, file=sys.stderr)  # the user asked for it: --quiet does not suppress it
    sys.stdout.write("".join(f"{line}\n" for line in links.pharaoh(probabilities)))


def _from_stdin(train: options.Files | None, corpus: str | None, pair: str | None) -> Corpus:
    from mtkit.text.corpus import Corpus, parse_pair, split_pairs
    from mtkit.text.lines import decode_lines

    if train or corpus:
        raise InputError("--stdin, --train and --corpus exclude each other; give one of them")
    lines = split_pairs(decode_lines(sys.stdin.buffer.read(), "stdin"), "stdin")
    return Corpus("stdin", parse_pair(pair or "source-target"), lines, None, None)
