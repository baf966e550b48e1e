"""Fetch a corpus into the cache: download, verify, unpack and split it, all or nothing."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

from mtkit.errors import InputError, WorkError
from mtkit.storage.archives import extract_members, is_archive
from mtkit.storage.download import PATIENCE, Patience, Progress, Source, download, is_url, verify
from mtkit.storage.reading import SMALL, unpacked
from mtkit.storage.writing import replacing
from mtkit.text.catalog import (
    MEMBER,
    PROVENANCE,
    SPLITS,
    Entry,
    Provenance,
    cache_directory,
    corpus_directory,
)
from mtkit.text.held_out import draw
from mtkit.text.lines import decode_lines

MAX_SIZE_RATIO = 4  # a file may exceed the approximate size in the catalog by this factor
Pair = tuple[str, str]
Pairs = Callable[[], Iterator[Pair]]  # each call reads the text from its beginning


def fetch(
    entry: Entry, place: str | None = None, patience: Patience | None = None,
    progress: Progress = lambda here, total: None,
) -> Path:  # fmt: skip
    """Fetch the corpus, even if it is in the cache already; return its directory there.

    place: URL or path of another directory with its files; the file itself, if there is only one.
    Raises InputError for files that differ from the catalog, and WorkError if a server fails or
    the disk is too small. After an error the cache is unchanged except for unfinished downloads.
    """
    out, sources = corpus_directory(entry.name), sources_of(entry, place)
    check_space(entry)
    with replacing(out) as scratch:
        downloads = cache_directory() / "downloads"
        files = {
            name: _obtain(source, downloads / _file_name(source), patience or PATIENCE, progress)
            for name, source in sources.items()
        }
        contents = scratch / "unpacked"
        contents.mkdir()
        try:
            counts = _write(entry, _texts(entry, files, contents), scratch)
        except InputError as error:  # drop useless downloads; name addresses, not cache files
            message = str(error).replace(f"{contents}{os.sep}", "")
            for name, file in files.items():
                message = message.replace(str(file), sources[name].address)
                if file.parent == downloads:
                    file.unlink()
            raise InputError(message) from None
        shutil.rmtree(contents)
        hashes = {s.address: verify(files[name], s) for name, s in sources.items()}
        about = {n: getattr(entry, n) for n in ("name", "title", "licence", "citation", "homepage")}
        provenance = Provenance(
            **about, languages=entry.languages, files=hashes, pairs=counts, splits=entry.splits()
        )
        text = json.dumps(provenance.as_dict(), ensure_ascii=False, indent=2) + "\n"
        (scratch / PROVENANCE).write_text(text, encoding="utf-8")
    for file in files.values():
        if file.parent == downloads:
            file.unlink()
    return out


# --- where its files come from


def sources_of(entry: Entry, place: str | None = None) -> dict[str, Source]:
    """Return name → source of the corpus's files. Raises InputError for a bad ``place``."""
    max_bytes = MAX_SIZE_RATIO * entry.download + SMALL
    if entry.sacrebleu:
        dataset = _test_set(entry)
        [address], [md5] = dataset.data, dataset.md5
        base, _, name = address.rpartition("/")
        return {name: Source(_address(f"{base}/", name, place, True), most=max_bytes, md5=md5)}
    names = entry.files()
    return {
        name: Source(
            _address(entry.address, name, place, len(names) == 1),
            entry.bytes.get(name, 0), max_bytes, entry.sha256.get(name, ""),
        )
        for name in names
    }  # fmt: skip


def _address(base: str, name: str, place: str | None, only: bool) -> str:
    """URL or path of the file ``name``, under ``base`` or at ``place``.

    only: there is no other file, so that ``place`` may be the file itself. Raises InputError for a
    ``place`` without the file or with another scheme than HTTP.
    """
    if place is None:
        return base + name
    if is_url(place):
        if not place.startswith(("http://", "https://")):
            raise InputError(f"--from {place}: expected http:// or https://, or a local path")
        return place if only and not place.endswith("/") else f"{place.rstrip('/')}/{name}"
    path = Path(place)
    if not only or path.is_dir():
        path /= name
    if not path.is_file():
        raise InputError(f"--from {place}: no file {path}")
    return str(path)


def check_space(entry: Entry) -> None:
    """Raise WorkError if the disk of the cache has too little space for the corpus."""
    needed, cache = space_needed(entry), cache_directory().absolute()
    while not cache.exists():
        cache = cache.parent
    if (free := shutil.disk_usage(cache).free) < needed:
        raise WorkError(
            f"{cache}: {free / 1e6:,.0f} MB free, but {entry.name} needs {needed / 1e6:,.0f} MB; "
            "set MTKIT_CACHE to another directory"
        )


def space_needed(entry: Entry) -> int:
    """Bytes of disk needed to fetch it: the download, its unpacked content, and the splits."""
    return entry.download + 2 * entry.unpacked


def _file_name(source: Source) -> str:
    """Name of a download in the cache, distinct for every address."""
    digest = hashlib.sha256(source.address.encode()).hexdigest()[:12]
    name = re.sub(r"[^\w.-]", "_", source.address.rpartition("/")[2])  # Windows forbids "?"
    return f"{digest}-{name}"


def _obtain(source: Source, cached: Path, patience: Patience, progress: Progress) -> Path:
    """Return the complete, verified file: a local one, an earlier download, or a new one."""
    path = cached if is_url(source.address) else Path(source.address)
    if path == cached and not cached.exists():
        download(source, cached, patience, progress)
    else:
        verify(path, source)
    return path


# --- what its texts are


def _texts(entry: Entry, files: Mapping[str, Path], contents: Path) -> dict[str, Pairs]:
    """Return the pairs of each split, or of ``all``; unpack archive members into ``contents``."""
    if entry.sacrebleu:
        [archive] = files.values()
        return {"test": partial(_read_lines, *_test_files(entry, archive, contents))}
    to_unpack = dict[str, dict[str, Path]]()  # archive → member → where to unpack it
    texts = dict[str, list[Path]]()
    for split, names in entry.texts().items():
        for name in names:
            file, _, member = name.partition(MEMBER)
            path = files[file]
            if member:
                path = contents / file / member
                to_unpack.setdefault(file, {})[member] = path
            texts.setdefault(split, []).append(path)
    for file, members in to_unpack.items():
        if not is_archive(file):
            raise InputError(f"{entry.name}: {file} is not an archive that mtkit can unpack")
        extract_members(files[file], members, MAX_SIZE_RATIO * entry.unpacked + SMALL)
    return {split: partial(_pairs, entry, paths) for split, paths in texts.items()}


def _pairs(entry: Entry, paths: list[Path]) -> Iterator[Pair]:
    """Read the pairs of a split from these files, in the layout that the entry names."""
    if entry.layout == "comtrans":
        return _read_comtrans(paths[0], entry.encoding)
    return _read_lines(paths[0], paths[1], entry.encoding)


def _lines(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    """Yield the lines of a plain or packed file in any encoding; see ``iterate_lines``."""
    for number, line in enumerate(unpacked(path)):
        if encoding != "utf-8":
            if not line.isascii() and _is_utf8(line):
                raise InputError(
                    f"{path}: line {number + 1}: found UTF-8, but the catalog says {encoding}"
                )
            line = line.decode(encoding).encode()
        yield from decode_lines(line, str(path), number)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _read_lines(source: Path, target: Path, encoding: str = "utf-8") -> Iterator[Pair]:
    """Yield the pairs of two files. Raises InputError if their numbers of lines differ."""
    pairs = zip_longest(_lines(source, encoding), _lines(target, encoding))
    for number, (x, y) in enumerate(pairs, 1):
        if x is None or y is None:
            raise InputError(
                f"{source} and {target}: line {number} of one has no partner; "
                "the two do not correspond line by line"
            )
        yield x, y


def _read_comtrans(path: Path, encoding: str) -> Iterator[Pair]:
    """Yield pairs from NLTK's aligned sentences: a line each of source words, target words, links.

    Raises InputError if the number of lines is not a multiple of three.
    """
    lines = _lines(path, encoding)
    for x in lines:
        y, links = next(lines, None), next(lines, None)
        if y is None or links is None:
            raise InputError(f"{path}: the number of lines is not a multiple of three")
        yield x.strip(), y.strip()


# --- test sets that sacreBLEU knows


def _test_set(entry: Entry) -> Any:
    """Return sacreBLEU's description of a test set, without a download.

    Raises InputError unless it has a test set of this name and pair, in one file with a checksum.
    """
    from sacrebleu.dataset import DATASETS

    dataset = DATASETS.get(entry.sacrebleu)
    if dataset is None or "-".join(entry.languages) not in dataset.langpairs:
        pair = " → ".join(entry.languages)
        raise InputError(f"{entry.name}: sacreBLEU has no test set {entry.sacrebleu} for {pair}")
    if not (dataset.data and dataset.md5 and len(dataset.data) == len(dataset.md5) == 1):
        raise InputError(
            f"{entry.name}: cannot be fetched; sacreBLEU must list one file and its checksum"
        )
    return copy.copy(dataset)


def _test_files(entry: Entry, archive: Path, contents: Path) -> tuple[Path, Path]:
    """Return source and first reference of a test set, extracted from its archive by sacreBLEU."""
    dataset, pair = _test_set(entry), "-".join(entry.languages)
    files = dataset.langpairs[pair]
    members = [files["path"]] if isinstance(files, dict) else files
    most = MAX_SIZE_RATIO * entry.unpacked + SMALL
    extract_members(archive, {m: contents / m for m in members}, most)
    dataset.maybe_download = lambda: None  # the files that it reads are unpacked above
    dataset._rawdir, dataset._outdir = str(contents), str(contents)
    return Path(dataset.get_source_file(pair)), Path(dataset.get_reference_files(pair)[0])


# --- what is written


def _write(entry: Entry, texts: Mapping[str, Pairs], scratch: Path) -> dict[str, int]:
    """Write those of ``train.LL``, ``dev.LL``, ``test.LL`` that exist; return pairs per split.

    Raises InputError if an expected split is empty.
    """
    counts = dict[str, int]()
    with ExitStack() as stack:
        files = dict[str, Any]()
        for split, pair in _pairs_with_splits(entry, texts):
            if split not in files:
                paths = [scratch / f"{split}.{language}" for language in entry.languages]
                files[split] = [stack.enter_context(path.open("wb")) for path in paths]
            for file, line in zip(files[split], pair, strict=True):
                file.write(line.encode("utf-8") + b"\n")
            counts[split] = counts.get(split, 0) + 1
    expected = {split for split in SPLITS if split in texts} or {"train"}
    if empty := sorted(expected - counts.keys()):
        raise InputError(f"{entry.name}: the text of {empty[0]} is empty")
    return {split: counts[split] for split in SPLITS if split in counts}


def _pairs_with_splits(entry: Entry, texts: Mapping[str, Pairs]) -> Iterable[tuple[str, Pair]]:
    """Return (split, pair) for every pair; the split is the official one or a drawn one."""
    if not entry.all:
        return ((split, pair) for split, pairs in texts.items() for pair in pairs())
    sizes = {split: entry.held_out[split] for split in ("dev", "test")}
    split_of = draw(texts["all"](), sizes, entry.held_out["seed"])
    return ((split_of.get(row, "train"), pair) for row, pair in enumerate(texts["all"]()))
