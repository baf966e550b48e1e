"""Extract named members of an untrusted ``.zip``, ``.tar``, ``.tar.gz`` or ``.tgz``.

Only the requested members are extracted, to paths that the caller chooses, so that no name inside
can choose a place. An archive with names that lead outside (``../x``, ``/x``) is refused.
"""

from __future__ import annotations

import gzip
import stat
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, Self

from mtkit.errors import InputError
from mtkit.storage.packing import BROKEN
from mtkit.storage.reading import MAX_MESSAGE, MAX_RATIO, SMALL

CHUNK = 1 << 20  # bytes
MAX_HEADER = 1 << 20  # bytes of a long name or of attributes, which a tar file stores as a member
MAX_MEMBERS = 100_000
_HEADERS = (
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)  # fmt: skip
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
# The standard library raises the last three, too, for numbers and names that make no sense.
DAMAGED = (*BROKEN, zipfile.BadZipFile, tarfile.TarError, ValueError, IndexError, RecursionError)


def is_archive(path: Path | str) -> bool:
    """Return whether the file name is that of an archive."""
    return str(path).endswith(SUFFIXES)


def extract_members(archive: Path, members: Mapping[str, Path], most: int) -> None:
    """Write each of the ``members`` of an archive to its path; create parent directories.

    most: largest total size of the members, bytes.
    Raises InputError for a damaged or encrypted archive, a member that is missing, occurs twice or
    is no regular file, names that lead out of the archive, and members that unpack to more than
    ``most`` bytes or, beyond ``SMALL``, to more than ``MAX_RATIO`` the packed size.
    """
    try:
        if archive.name.endswith(".zip"):
            _from_zip(archive, members, most)
        else:
            _from_tar(archive, members, most)
    except NotImplementedError as error:
        raise InputError(f"{archive}: unsupported compression ({error})") from None
    except DAMAGED as error:
        raise _damaged_error(archive, error) from None
    except OSError as error:
        if error.errno is None:  # from bz2, not from the system
            raise _damaged_error(archive, error) from None
        raise


def _from_zip(archive: Path, members: Mapping[str, Path], budget: int) -> None:
    with zipfile.ZipFile(archive) as file:
        entries, names = {entry.filename: entry for entry in file.infolist()}, file.namelist()
        _check_names(archive, names)
        _check_present(archive, members, entries)
        for name in members:
            entry = entries[name]
            if names.count(name) > 1:
                raise _duplicate_error(archive, name)
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if entry.is_dir() or kind not in (0, stat.S_IFREG):
                raise InputError(f"{archive}: {name} is not a regular file; it is not unpacked")
            if entry.flag_bits & 1:
                raise InputError(f"{archive}: {name} is encrypted; it cannot be unpacked")
            if entry.file_size > max(SMALL, MAX_RATIO * entry.compress_size):
                raise _bomb_error(archive)
            budget -= entry.file_size
            if budget < 0:
                raise _size_error(archive)
        for name, path in members.items():
            with file.open(entries[name]) as source:  # ends at the size that was checked
                _write(source, path)


def _from_tar(archive: Path, members: Mapping[str, Path], budget: int) -> None:
    names = list[str]()
    limit = max(SMALL, MAX_RATIO * archive.stat().st_size)
    with archive.open("rb") as packed:
        stream: Any = _Measured(packed, archive) if archive.name.endswith("gz") else packed
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Entry) as file:
            for entry in file:
                name = entry.name.removeprefix("./")
                names.append(name)
                _check_names(archive, [name], len(names))
                if file.offset > limit:  # of the next entry: tarfile would look for it for ever
                    raise _bomb_error(archive)
                if (path := members.get(name)) is None:
                    continue
                if name in names[:-1]:
                    raise _duplicate_error(archive, name)
                if not entry.isreg() or entry.issparse():
                    raise InputError(f"{archive}: {name} is not a regular file; it is not unpacked")
                budget -= entry.size
                if budget < 0:
                    raise _size_error(archive)
                source = file.extractfile(entry)
                assert source is not None
                _write(source, path)
    _check_present(archive, members, names)


class _Entry(tarfile.TarInfo):
    """An entry of a tar file. Raises ReadError for a long name or attributes that are too large."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> Self:
        entry = super().frombuf(buf, encoding, errors)
        if entry.type in _HEADERS and entry.size > MAX_HEADER:
            raise tarfile.ReadError(f"a header of {entry.size:,} bytes")
        return entry


class _Measured:
    """The content of a gzip file. Raises InputError if it is too large for the bytes read."""

    def __init__(self, packed: IO[bytes], archive: Path) -> None:
        self.packed, self.archive = packed, archive
        self.file, self.total = gzip.GzipFile(fileobj=packed), 0

    def read(self, size: int) -> bytes:
        data = self.file.read(size)
        self.total += len(data)
        if self.total > max(SMALL, MAX_RATIO * self.packed.tell()):
            raise _bomb_error(self.archive)
        return data


def _write(source: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        while data := source.read(CHUNK):
            file.write(data)


def _check_names(archive: Path, names: list[str], number: int = 0) -> None:
    """Raise InputError for a name that leads out of the archive, and for too many names."""
    for name in names:
        posix = name.replace("\\", "/")
        if posix.startswith("/") or ":" in name[:2] or ".." in posix.split("/"):
            raise InputError(
                f"{archive}: the path {name[:80]!r} leads outside the archive; refused"
            )
    if max(number, len(names)) > MAX_MEMBERS:
        raise InputError(f"{archive}: more than {MAX_MEMBERS:,} members; refused")


def _check_present(archive: Path, wanted: Iterable[str], present: Iterable[str]) -> None:
    names = dict.fromkeys(present)
    if missing := [name for name in wanted if name not in names]:
        shown = ", ".join([*names][:5]) + (" …" if len(names) > 5 else "")
        raise InputError(
            f"{archive}: {missing[0]} is missing; the archive contains {shown or 'nothing'}"
        )


def _damaged_error(archive: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:MAX_MESSAGE]
    return InputError(f"{archive}: not a complete archive ({reason}); fetch it again")


def _duplicate_error(archive: Path, name: str) -> InputError:
    return InputError(f"{archive}: {name} occurs twice in it; refused")


def _bomb_error(archive: Path) -> InputError:
    return InputError(f"{archive}: unpacks to more than {MAX_RATIO} times its size; refused")


def _size_error(archive: Path) -> InputError:
    return InputError(f"{archive}: unpacks to far more than the catalog says; refused")
