"""mtkit: train a statistical and a neural translator on the same text, and compare them.

>>> import mtkit
>>> directory = mtkit.train_smt()  # models/smt-en-de                     # doctest: +SKIP
>>> mtkit.load(directory).translate(["Two men."])                         # doctest: +SKIP
>>> from mtkit.text.corpus import open_corpus
>>> mtkit.align(open_corpus("everyday")).pharaoh()                        # doctest: +SKIP
>>> mtkit.compare([directory, "other=other.de"]).systems[0].bleu          # doctest: +SKIP

Each function does the work of the command of the same name. Modules are imported only when needed,
so that ``mtkit --help`` waits neither for numpy nor for torch.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mtkit.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mtkit.comparison.report import Comparison
    from mtkit.nmt.recipe import Device
    from mtkit.nmt.training.build import Recipe
    from mtkit.smt.alignment.symmetrize import Links
    from mtkit.smt.train import TrainConfig as SmtConfig
    from mtkit.system import System
    from mtkit.text.corpus import Corpus, Named
    from mtkit.text.tokenizer import Kind, WordTokenizer

# torch's libraries read these once. oneDNN compiles a kernel for each shape and caches this many.
# With a smaller cache it drops kernels and compiles them again, and memory grows without bound.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "4096")
if "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ:
    # How long a thread spins while it waits for others. With the default, training beside one
    # other busy program took fifty times as long as alone.
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")

__all__ = ["__version__", "align", "combine", "compare", "load", "train_nmt", "train_smt"]


def load(directory: str | Path, *others: str | Path) -> System:
    """Load a translator of any kind, or a language model; see ``System``.

    others: further neural translators, to make an ensemble. Raises InputError if one is no model
    directory or is damaged, and if they do not fit together.
    """
    from mtkit import models

    return models.load(directory, *others)


def train_smt(
    corpus: Corpus | None = None, out: str | Path | None = None,
    tokenizer: WordTokenizer | None = None, config: SmtConfig | None = None,
    weights: str | Mapping[str, float] = "default", force: bool = False, threads: int = 0,
    memory: int = 0, resume: bool = False, cluster: str = "",
) -> Path:  # fmt: skip
    """Train a statistical translator and return its model directory.

    corpus: see ``text.corpus.open_corpus``; by default the embedded one. out: by default
    ``models/smt-en-de``, with the languages of the corpus. tokenizer: by default
    ``WordTokenizer()``. config: an ``smt.train.TrainConfig``, here SmtConfig. weights: where tuning
    starts: a preset of ``smt.search.features``, a JSON file or the numbers. force: replace an
    existing ``out``, or a model of another corpus in the default place. threads: 0 uses every core.
    memory: bytes to use at most, 0 for half of the machine's. resume: continue an interrupted
    training. cluster: the processes that run the stages, see ``mtkit.cluster``; a script that
    passes ``local:N`` must guard its code by ``if __name__ == "__main__"``, since Python imports it
    in each process. The model is the same for every cluster.

    Raises InputError if the text cannot be trained on, if there is nothing to resume, if the
    weights are invalid, and if ``out`` must not be replaced; its subclass LossError if the default
    place holds a model of another corpus.
    """
    from mtkit.console import busy
    from mtkit.models import output_directories

    with busy("loading numba"):
        from mtkit.smt import train
    from mtkit.smt.search.features import weights_named
    from mtkit.threads import cores

    if isinstance(weights, str):
        weights_named(weights)  # refused before anything is read
    if cluster:
        from mtkit.cluster import check

        check(cluster)
    corpus, tokenizer = _inputs(corpus, tokenizer)
    [directory] = output_directories(out, "smt", corpus, force)
    settings = config or train.TrainConfig()
    train.train_smt(
        corpus, tokenizer, settings, weights, directory, cores(threads), memory, resume, cluster
    )
    return directory


def train_nmt(
    corpus: Corpus | None = None, out: str | Path | None = None,
    tokenizer: WordTokenizer | None = None, config: Recipe | None = None,
    start: str | Path | None = None, seeds: int = 1, resume: bool = False, device: Device = "auto",
    force: bool = False, threads: int = 0,
) -> list[Path]:  # fmt: skip
    """Train a neural translator, or several with consecutive seeds; return their directories.

    corpus, tokenizer, force: as in ``train_smt``. out: by default ``models/nmt-en-de``; for several
    models OUT-1 … OUT-N. config: either an ``nmt.recipe.TrainConfig``, as ``nmt.recipe.preset``
    returns it, or a dictionary of changes, as in ``{"minutes": 5}``, to the preset that suits text
    and budget. start: a model to train further. resume: continue an interrupted training. threads:
    of this machine, shared by its processes; 0 uses every core.

    Raises InputError as ``train_smt`` does, if ``start`` does not fit the text, and for the device
    ``cuda`` without a GPU.
    """
    from mtkit import models
    from mtkit.console import busy
    from mtkit.threads import cores

    with busy("loading PyTorch"):
        from mtkit.nmt import parallel
        from mtkit.nmt.training.build import train_seeds

    with parallel.processes(device, cores(threads)):
        corpus, tokenizer = _inputs(corpus, tokenizer)
        replace = force or (out is not None and resume and seeds > 1)
        directories = models.output_directories(out, "nmt", corpus, replace, seeds)
        initial = models.load_start(Path(start), corpus.pair, tokenizer) if start else None
        train_seeds(corpus, tokenizer, config or {}, directories, resume, initial)
    return directories


def combine(
    systems: Sequence[str | Path] = (), dev: Named | None = None,
    out: str | Path | None = None, copy: bool = False, force: bool = False, threads: int = 0,
    file_format: str = "",
) -> Path:  # fmt: skip
    """Combine systems into one that chooses among their translations; return its model directory.

    systems: model directories, ``"DIR+DIR"`` for an ensemble, or ``"NAME=FILE"`` for n-best lists
    of the dev set; none: the newest model of each kind. dev: source and reference files to tune on,
    or one that holds both; by default those that the models name. file_format: format of one that
    holds both, if its name does not say it. out: by default ``models/combined``. copy: copy the
    models instead of referring to them. force: replace an existing ``out``. threads: 0 uses every
    core.

    Raises InputError if the systems or the dev set do not fit together, and if ``out`` must not be
    replaced; its subclass LossError if the default place holds another model.
    """
    from mtkit import models
    from mtkit.combination.combine import combine
    from mtkit.manifest import COMBINATION, Manifest
    from mtkit.text.corpus import Bitext, files_of
    from mtkit.threads import cores

    directory = models.check_out(out, "combined", force)
    by_name = models.named_systems(systems or models.newest_of_each())
    if out is None and not force:
        manifest = Manifest.read(next(iter(by_name.values()))[0])
        models.check_loss(
            [directory], lambda old: (old.kind, old.languages) == (COMBINATION, manifest.languages)
        )
    models_named = [parts[0] for parts in by_name.values() if parts[0].is_dir()]
    languages = Manifest.read(models_named[0]).languages if dev and models_named else None
    text = Bitext.read(*files_of(dev), languages, file_format) if dev else None
    combine(by_name, text, directory, copy, cores(threads))
    return directory


def align(
    corpus: Corpus | None = None, tokenizer: WordTokenizer | None = None,
    aligner: str | None = None, heuristic: str = "grow-diag-final-and",
    model: str | Path | None = None, out: str | Path | None = None, force: bool = False,
    threads: int = 0, score: bool = False,
) -> Links:  # fmt: skip
    """Align the words of a corpus's training text; return the links of each sentence pair.

    corpus, threads: as in ``train_smt``. tokenizer: by default ``WordTokenizer()``, or that of
    ``model``. aligner: one of ``smt.alignment.align.ALIGNERS``; None: fertility, or with ``score``
    hmm, which detects wrong pairs best. heuristic: how to merge the two directions, one of
    ``smt.alignment.symmetrize.HEURISTICS``. model: directory of a model to align with; nothing is
    learnt from the text. out: directory for the learnt models; replaced only with ``force``.
    score: also compute ln P(y|x) of each pair.

    Raises InputError for an unknown name, if nothing can be learnt, if ``model`` cannot align,
    if ``out`` must not be replaced, and if both ``out`` and ``model`` are given.
    """
    from dataclasses import replace

    from mtkit import models
    from mtkit.console import step
    from mtkit.errors import check_choice
    from mtkit.manifest import Manifest
    from mtkit.smt.alignment.align import ALIGNERS
    from mtkit.smt.alignment.learn import learn
    from mtkit.smt.alignment.symmetrize import HEURISTICS
    from mtkit.threads import cores

    aligner = aligner or ("hmm" if score else "fertility")
    check_choice("--aligner", aligner, ALIGNERS)
    check_choice("--symmetrize", heuristic, HEURISTICS)
    models.check_kept(out, model, force)
    tokenizer = tokenizer or (Manifest.read(Path(model)).word_tokenizer if model else None)
    corpus, tokenizer = _inputs(corpus, tokenizer)
    if model is not None:
        word_models, sides = models.load_word_models(Path(model)), corpus.train.tokens(tokenizer)
        with step(f"word alignment by {model}"):
            links = word_models.align(*sides, heuristic)
            return replace(links, score=word_models.score(*sides)) if score else links
    corpus.train.without_empty()  # raises where nothing can be learnt
    directory = None if out is None else Path(out)
    return learn(corpus, tokenizer, aligner, heuristic, directory, cores(threads), score)


def compare(
    systems: Sequence[str | Path] = (), test: Named | None = None, *,
    references: Sequence[str | Path] = (), examples: int = 12, glossary: str | Path | None = None,
    inflected: bool = False, fresh: bool = False, quick: bool = False,
    curve: Sequence[int] = (), seeds: int = 3,
    threads: int = 0, explain: bool = False, ignore_case: bool = False,
    tokenizer: Kind | None = None, file_format: str = "", pair: str | None = None,
    scores: Sequence[str] = (),
) -> Comparison:  # fmt: skip
    """Score systems on a test set, with significance tests and error analysis.

    systems: model directories, ``"NAME=DIR+DIR"`` for an ensemble of networks, or ``"NAME=FILE"``
    for the output of another system; none: all models under ``models/``. test: source and reference
    file, or one that holds both; None: those that the models name. file_format: format of one that
    holds both, if its name does not say it. references: files of further references. examples:
    number of example sentences. glossary: a file of phrases and their translations. Statistical
    systems and combinations translate with it; for the others mtkit only counts how often they use
    its terms. inflected: glossary phrases match other forms of their words, too. fresh: ignore
    cached translations. quick: skip what runs the models again after translating: perplexity,
    search errors, noisy-channel weights. curve: sizes, in sentence pairs, on which to train the
    models again. seeds: samples of each size. threads: 0 uses every core. explain: also explain the
    translations of the examples. ignore_case: ignore case in scores and in tables of words.
    tokenizer: ``none`` if all lines are tokenised, ``words`` if not; None: as the models read text.
    pair: the languages of ``test``, as in ``en-de``, if no model names them. scores: sentence
    scores from other tools, ``"NAME:METRIC=FILE"``; see ``comparison.external``.

    See ``comparison.report.as_json`` and ``comparison.page.render``. Raises InputError if systems,
    lines and languages do not fit together, and for files that cannot be read.
    """
    from dataclasses import replace

    from mtkit import models
    from mtkit.comparison import compare as steps
    from mtkit.comparison.external import read_columns
    from mtkit.comparison.systems import Task
    from mtkit.comparison.trainings import complete, trainings
    from mtkit.errors import check_choice
    from mtkit.threads import cores

    if tokenizer is not None:
        check_choice("--tokenizer", tokenizer, steps.BLEU_TOKENS)
    by_name, threads = steps.systems_by_name(systems), cores(threads)
    material = steps.material(by_name, test, references, ignore_case, tokenizer, file_format, pair)
    terms = Path(glossary) if glossary else None
    task = Task(by_name, material, threads, tokenizer, terms, inflected, fresh, quick)
    columns = read_columns(scores, by_name, len(material.text))
    needed = trainings(task.models, curve, seeds, task.test, models.MODELS / "curve")
    comparison = steps.scored(task, examples, columns)
    if needed:
        comparison = replace(comparison, curve=complete(needed, material, threads))
    if explain:
        explanations = steps.explanations(task, comparison.examples)
        comparison = replace(comparison, explanations=explanations)
    return comparison


def _inputs(corpus: Corpus | None, tokenizer: WordTokenizer | None) -> tuple[Corpus, WordTokenizer]:
    """Return the arguments, by default the embedded corpus and the tokenizer of raw text."""
    from mtkit.text.corpus import open_corpus
    from mtkit.text.tokenizer import WordTokenizer

    return corpus or open_corpus(), tokenizer or WordTokenizer()
