"""Unpacking of untrusted archives: only the requested members are written."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from mtkit.errors import InputError
from mtkit.storage import archives
from mtkit.storage.archives import extract_members

TEXTS = {"a/train.en": b"one\ntwo\n", "a/train.de": b"eins\nzwei\n", "README": b"read me\n"}
KINDS = ("x.zip", "x.tar", "x.tar.gz", "x.tgz")
PLENTY = 10**9


def pack(path: Path, texts: dict[str, bytes]) -> Path:
    """Write an archive of the kind that its suffix names."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in texts.items():
                file.writestr(name, data)
        return path
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as file:
        for name, data in texts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            file.addfile(entry, io.BytesIO(data))
    return path


def pack_special(path: Path, kind: bytes, target: str = "/etc/passwd") -> Path:
    """Write an archive whose only member, x, is a link or a device."""
    if path.suffix == ".zip":
        entry = zipfile.ZipInfo("x")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(entry, target)
        return path
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as file:
        member = tarfile.TarInfo("x")
        member.type, member.linkname = kind, target
        file.addfile(member)
    return path


def refused(archive: Path, member: str = "x", most: int = PLENTY) -> str:
    """Return the one-line error; check that at most ``out/file`` was begun."""
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(InputError) as raised:
        extract_members(archive, {member: archive.parent / "out" / "file"}, most)
    written = {path for path in archive.parent.rglob("*") if path.is_file()} - set(before)
    assert all(path.stat().st_size <= archives.SMALL for path in written)
    assert written <= {archive.parent / "out" / "file"}
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(f"{archive}: ")
    return str(raised.value)


@pytest.mark.parametrize("kind", KINDS)
def test_only_requested_files_are_written(kind: str, tmp_path: Path) -> None:
    archive = pack(tmp_path / kind, TEXTS)
    wanted = {"a/train.de": tmp_path / "out" / "1", "a/train.en": tmp_path / "out" / "2"}
    extract_members(archive, wanted, PLENTY)
    files = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    files.pop(kind)
    assert files == {"1": TEXTS["a/train.de"], "2": TEXTS["a/train.en"]}


def test_names_in_a_tar_may_begin_with_a_dot(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.tgz", {f"./{name}": data for name, data in TEXTS.items()})
    extract_members(archive, {"README": tmp_path / "out"}, PLENTY)
    assert (tmp_path / "out").read_bytes() == TEXTS["README"]


@pytest.mark.parametrize("kind", KINDS)
def test_missing_member_error_lists_the_members(kind: str, tmp_path: Path) -> None:
    said = refused(pack(tmp_path / kind, TEXTS), "a/train.fr")
    assert said.endswith(
        "a/train.fr is missing; the archive contains a/train.en, a/train.de, README"
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "\\x", "..\\x", "C:/x", "C:\\x"])
def test_path_traversal_is_refused(kind: str, name: str, tmp_path: Path) -> None:
    said = refused(pack(tmp_path / kind, {name: b"x", **TEXTS}), "a/train.en")
    assert "leads outside the archive; refused" in said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "special", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_refused(kind: str, special: bytes, tmp_path: Path) -> None:
    said = refused(pack_special(tmp_path / kind, special))
    assert "x is not a regular file; it is not unpacked" in said


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "not a regular file" in refused(pack(tmp_path / "x.zip", {"x/": b""}), "x/")


# --- zip bombs


def zeros(megabytes: int, wbits: int) -> bytes:
    """Return a compressed stream of zeros: one block of 1 MiB, repeated."""
    packer, chunk = zlib.compressobj(9, wbits=wbits), bytes(1 << 20)
    begin = packer.compress(chunk) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(chunk) + packer.flush(zlib.Z_FULL_FLUSH)
    return begin + block * (megabytes - 1) + packer.flush()


def bomb(path: Path, size: int) -> Path:
    """Write a zip with 10 GB of zeros whose directory declares ``size`` bytes."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x", zeros(10_000, -15))
        [entry] = file.infolist()
        entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, size
    data = bytearray(path.read_bytes())
    data[8:10] = zipfile.ZIP_DEFLATED.to_bytes(2, "little")
    path.write_bytes(data)
    return path


def test_a_zip_bomb_is_refused_before_unpacking(tmp_path: Path) -> None:
    archive = bomb(tmp_path / "x.zip", 10_000 << 20)
    assert archive.stat().st_size < 11e6
    assert refused(archive, most=10**12).endswith(
        "unpacks to more than 100 times its size; refused"
    )
    assert not (tmp_path / "out").exists()


def test_a_zip_writes_no_more_than_its_declared_size(tmp_path: Path) -> None:
    archive = bomb(tmp_path / "x.zip", 1000)
    assert "not a complete archive" in refused(archive)
    assert (tmp_path / "out" / "file").stat().st_size <= 1000


def test_a_tar_bomb_is_refused_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SMALL", 1 << 20)
    member = tarfile.TarInfo("x")
    member.size = 10 * 10**9
    archive = tmp_path / "x.tar.gz"
    archive.write_bytes(gzip.compress(member.tobuf()) + zeros(10_000, 31))
    read = list[int]()
    original = gzip.GzipFile.read
    monkeypatch.setattr(
        gzip.GzipFile, "read", lambda self, size: read.append(size) or original(self, size)
    )
    assert "unpacks to more than 100 times its size" in refused(archive, most=10**11)
    assert sum(read) < 100 << 20


@pytest.mark.parametrize("kind", KINDS)
def test_the_total_size_is_limited(kind: str, tmp_path: Path) -> None:
    archive = pack(tmp_path / kind, {"x": b"12345", "y": b"12345"})
    wanted = {"x": tmp_path / "1", "y": tmp_path / "2"}
    extract_members(archive, wanted, 10)
    with pytest.raises(InputError, match="unpacks to far more than the catalog says"):
        extract_members(archive, wanted, 9)


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_members_are_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
    assert "more than 2 members" in refused(pack(tmp_path / kind, TEXTS), "README")


# --- damaged archives


@pytest.mark.parametrize("kind", ["x.zip", "x.tar.gz"])
def test_truncated_archives_are_refused(kind: str, tmp_path: Path) -> None:
    data = pack(tmp_path / kind, TEXTS).read_bytes()
    body = len(data) - 9  # a gzip file ends with a checksum
    for n in range(0, body, 7):
        (tmp_path / kind).write_bytes(data[:n])
        said = refused(tmp_path / kind, "README")
        assert "not a complete archive" in said or "no README in it" in said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", [b"", b"<html>404</html>", bytes(9), b"\x1f\x8b\x08\x00junk"])
def test_other_content_is_refused(kind: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / kind).write_bytes(data)
    said = refused(tmp_path / kind)
    assert "not a complete archive" in said or "the archive contains nothing" in said


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.zip", {"x": b"text"})
    data = bytearray(archive.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + place] |= 1
    archive.write_bytes(data)
    assert refused(archive).endswith("x is encrypted; it cannot be unpacked")


def test_unsupported_compression_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.zip", {"x": b"text"})
    data = bytearray(archive.read_bytes())
    for signature, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(signature) + place] = 99
    archive.write_bytes(data)
    assert "unsupported compression" in refused(archive)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_occurs_twice_is_refused(kind: str, tmp_path: Path) -> None:
    archive = tmp_path / kind
    if kind == "x.zip":
        with zipfile.ZipFile(archive, "w") as file:
            for text in ("one", "two"):
                file.writestr("x", text)
    else:
        with tarfile.open(archive, "w:gz" if kind.endswith("gz") else "w") as tar:
            for text in (b"one", b"two"):
                add(tar, text)
    assert refused(archive).endswith(f"{kind}: x occurs twice in it; refused")


def add(tar: tarfile.TarFile, data: bytes, name: str = "x", **attributes: str) -> None:
    """Add a member to a tar file."""
    member = tarfile.TarInfo(name)
    member.size, member.pax_headers = len(data), attributes
    tar.addfile(member, io.BytesIO(data))


SPARSE = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "900000000"}


@pytest.mark.parametrize(
    ("name", "data", "attributes", "message"),
    [
        ("x", b"1\n0\n5\n" + bytes(506) + b"holes", SPARSE, "x is not a regular file"),
        ("x", b"9" * 512, SPARSE, "not a complete archive"),
        ("x", b"x\n" * 256, SPARSE, "not a complete archive"),
        ("x", b"x", {"GNU.sparse.size": "x"}, "not a complete archive"),
        ("y", b"x", {"size": str(1 << 60)}, "unpacks to more than 100 times its size"),
        ("x", b"x", {"comment": "x" * (2 << 20)}, "not a complete archive (a header of 2,"),
    ],
)
def test_attributes_of_a_tar_are_not_trusted(
    name: str, data: bytes, attributes: dict[str, str], message: str, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        add(tar, data, name, **attributes)
    assert message in refused(tmp_path / "x.tar")


def test_endless_names_in_a_tar_are_refused(tmp_path: Path) -> None:
    long = tarfile.TarInfo("x")
    long.type, long.size = tarfile.GNUTYPE_LONGNAME, 1
    (tmp_path / "x.tar").write_bytes((long.tobuf(tarfile.GNU_FORMAT) + bytes(512)) * 5000)
    assert "not a complete archive" in refused(tmp_path / "x.tar")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_content_of_a_zip_is_refused(method: int, tmp_path: Path) -> None:
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w", method) as file:
        file.writestr("x", b"a line\n" * 999)
    data = bytearray(archive.read_bytes())
    data[45:60] = bytes(15)
    archive.write_bytes(data)
    assert "not a complete archive" in refused(archive)


@pytest.mark.parametrize("header", [b"PK\1\2", b"PK\3\4"])
def test_a_name_that_is_no_text_is_refused(header: bytes, tmp_path: Path) -> None:
    data = bytearray(pack(tmp_path / "x.zip", {"x": b"text"}).read_bytes())
    central = header == b"PK\1\2"
    begin, flags, name = data.index(header), 8 if central else 6, 46 if central else 30
    data[begin + flags + 1] |= 8  # the name is UTF-8
    data[begin + name] = 0xFF
    (tmp_path / "x.zip").write_bytes(data)
    assert "not a complete archive" in refused(tmp_path / "x.zip")
