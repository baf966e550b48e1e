"""Archives that strangers made: what is asked for comes out, and nothing else happens."""

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
    """An archive of the kind that its name says."""
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
    """An archive whose only member, x, is a link or a device."""
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
    """The one line that says why, once it is sure that nothing was written."""
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
def test_only_what_is_asked_for_comes_out(kind: str, tmp_path: Path) -> None:
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
def test_what_is_missing_is_said_with_what_is_there(kind: str, tmp_path: Path) -> None:
    said = refused(pack(tmp_path / kind, TEXTS), "a/train.fr")
    assert said.endswith(
        "a/train.fr is missing; the archive contains a/train.en, a/train.de, README"
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "\\x", "..\\x", "C:/x", "C:\\x"])
def test_names_that_lead_out_are_refused(kind: str, name: str, tmp_path: Path) -> None:
    said = refused(pack(tmp_path / kind, {name: b"x", **TEXTS}), "a/train.en")
    assert "leads outside the archive; refused" in said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "special", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_not_taken_out(kind: str, special: bytes, tmp_path: Path) -> None:
    said = refused(pack_special(tmp_path / kind, special))
    assert "x is not a regular file; it is not unpacked" in said


def test_a_directory_is_no_text(tmp_path: Path) -> None:
    assert "not a regular file" in refused(pack(tmp_path / "x.zip", {"x/": b""}), "x/")


# --- bombs


def zeros(megabytes: int, wbits: int) -> bytes:
    """A packed stream of zeros: one block of a megabyte, again and again."""
    packer, chunk = zlib.compressobj(9, wbits=wbits), bytes(1 << 20)
    begin = packer.compress(chunk) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(chunk) + packer.flush(zlib.Z_FULL_FLUSH)
    return begin + block * (megabytes - 1) + packer.flush()


def bomb(path: Path, size: int) -> Path:
    """A zip with 10 GB of zeros, whose directory says that it has ``size`` bytes."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x", zeros(10_000, -15))
        [entry] = file.infolist()
        entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, size
    data = bytearray(path.read_bytes())
    data[8:10] = zipfile.ZIP_DEFLATED.to_bytes(2, "little")
    path.write_bytes(data)
    return path


def test_a_zip_of_ten_gigabytes_of_zeros_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    archive = bomb(tmp_path / "x.zip", 10_000 << 20)
    assert archive.stat().st_size < 11e6
    assert refused(archive, most=10**12).endswith(
        "unpacks to more than 100 times its size; refused"
    )
    assert not (tmp_path / "out").exists()


def test_a_zip_that_lies_about_its_size_gives_no_more_than_it_says(tmp_path: Path) -> None:
    archive = bomb(tmp_path / "x.zip", 1000)
    assert "not a complete archive" in refused(archive)
    assert (tmp_path / "out" / "file").stat().st_size <= 1000


def test_a_tar_of_zeros_is_refused_after_little_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
def test_all_members_together_have_a_limit(kind: str, tmp_path: Path) -> None:
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


# --- what is no archive


@pytest.mark.parametrize("kind", ["x.zip", "x.tar.gz"])
def test_every_cut_of_an_archive_is_refused(kind: str, tmp_path: Path) -> None:
    data = pack(tmp_path / kind, TEXTS).read_bytes()
    body = len(data) - 9  # the last bytes of a gzip file are a checksum of what was read
    for n in range(0, body, 7):
        (tmp_path / kind).write_bytes(data[:n])
        said = refused(tmp_path / kind, "README")
        assert "not a complete archive" in said or "no README in it" in said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", [b"", b"<html>404</html>", bytes(9), b"\x1f\x8b\x08\x00junk"])
def test_what_is_no_archive_is_refused(kind: str, data: bytes, tmp_path: Path) -> None:
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


def test_a_zip_packed_in_an_unknown_way_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.zip", {"x": b"text"})
    data = bytearray(archive.read_bytes())
    for signature, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(signature) + place] = 99
    archive.write_bytes(data)
    assert "unsupported compression" in refused(archive)
