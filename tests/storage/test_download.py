"""Downloads from a server that disconnects, stalls, redirects or sends wrong data."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from pathlib import Path

import pytest

from mtkit.errors import InputError, WorkError
from mtkit.storage.download import Patience, Source, check_redirect, download
from tests.support.server import Handler, Site, cut, site, stall, status, whole

__all__ = ["site"]

DATA = random.Random(1).randbytes(300_000)
HASH = hashlib.sha256(DATA).hexdigest()
QUICK = Patience(timeout=0.3, tries=3, pause=0)


def source(site: Site, path: str = "/file") -> Source:
    site.files["/file"] = DATA
    return Source(site.address + path, bytes=len(DATA), most=10**6, sha256=HASH)


def fetch(source: Source, to: Path, patience: Patience = QUICK) -> list[tuple[int, int | None]]:
    told: list[tuple[int, int | None]] = []
    download(source, to, patience, lambda here, total: told.append((here, total)))
    return told


def left(where: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in where.iterdir()}


def test_a_download_is_complete_and_reports_steps(site: Site, tmp_path: Path) -> None:
    told = fetch(source(site), tmp_path / "new" / "file")
    assert left(tmp_path / "new") == {"file": DATA}
    assert told[-1] == (len(DATA), len(DATA))
    assert [here for here, _ in told] == sorted({here for here, _ in told})


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_transfer_resumes_or_restarts(ranges: bool, site: Site, tmp_path: Path) -> None:
    site.ranges = ranges
    file = source(site)
    site.answers["/file"] = [cut(100_000), cut(200_000), whole]
    fetch(file, tmp_path / "file")
    assert left(tmp_path) == {"file": DATA}
    asked = ["", "bytes=100000-", "bytes=200000-"] if ranges else ["", "", ""]
    assert [asked for _, asked in site.seen] == asked


def test_a_server_may_ignore_ranges(site: Site, tmp_path: Path) -> None:
    def no_range(handler: Handler) -> None:
        del handler.headers["Range"]
        whole(handler)

    file = source(site)
    site.answers["/file"] = [cut(100_000), no_range]
    fetch(file, tmp_path / "file")
    assert left(tmp_path) == {"file": DATA}


def test_the_next_call_resumes_a_part_file(site: Site, tmp_path: Path) -> None:
    file = source(site)
    site.answers["/file"] = [cut(100_000), cut(100_000)]
    with pytest.raises(WorkError, match=r"3 times in a row; .* resumes it from 100,000 bytes; use"):
        fetch(file, tmp_path / "file")
    assert left(tmp_path)["file.part"] == DATA[:100_000]
    site.answers.clear()
    fetch(file, tmp_path / "file")
    assert site.seen[-1] == ("/file", "bytes=100000-")
    assert left(tmp_path) == {"file": DATA}


def test_a_file_that_changed_is_downloaded_again(site: Site, tmp_path: Path) -> None:
    file = replace(source(site), bytes=0, sha256="")
    site.answers["/file"] = [cut(100_000)]
    with pytest.raises(WorkError):
        fetch(file, tmp_path / "file", replace(QUICK, tries=1))
    other = bytes(reversed(DATA))
    site.files["/file"] = other
    site.answers.clear()
    fetch(file, tmp_path / "file")
    assert left(tmp_path) == {"file": other}


def test_ctrl_c_keeps_part_file(site: Site, tmp_path: Path) -> None:
    def interrupt(here: int, total: int | None) -> None:
        raise KeyboardInterrupt

    file = source(site)
    with pytest.raises(KeyboardInterrupt):
        download(file, tmp_path / "file", QUICK, interrupt)
    came = left(tmp_path)["file.part"]
    assert 0 < len(came) < len(DATA)
    assert DATA.startswith(came)
    fetch(file, tmp_path / "file")
    assert site.seen[-1] == ("/file", f"bytes={len(came)}-")
    assert left(tmp_path) == {"file": DATA}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "0" * 64}, f"its sha256 is {HASH} instead of {'0' * 64}; the file changed"),
        ({"md5": "0" * 32}, "its md5 is "),
        ({"bytes": 300_001}, "300,000 bytes instead of 300,001; the file changed"),
        ({"bytes": 299_999}, "300,000 bytes instead of 299,999; the file changed"),
        ({"bytes": 0, "most": 1000}, "more than 1,000 bytes, far more than the catalog says"),
    ],
)
def test_a_wrong_file_is_refused_and_deleted(
    change: dict[str, int | str], message: str, site: Site, tmp_path: Path
) -> None:
    file = replace(source(site), **change)  # type: ignore[arg-type]
    with pytest.raises(InputError) as raised:
        fetch(file, tmp_path / "file")
    assert str(raised.value).startswith(f"{site.address}/file: {message}")
    assert left(tmp_path) == {}


def test_a_body_without_length_is_bounded_and_checked(site: Site, tmp_path: Path) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not handler.site.over.is_set():
            handler.wfile.write(b"x" * 100_000)

    file = source(site)
    site.answers["/file"] = [endless]
    for known in (file, replace(file, bytes=0, sha256="")):
        with pytest.raises(InputError, match=r"bytes instead of 300,000|more than 1,000,000 bytes"):
            fetch(known, tmp_path / "file")
        assert left(tmp_path) == {}


# --- redirects


def test_redirects_are_followed(site: Site, tmp_path: Path) -> None:
    site.answers["/a"] = [status(302, Location="/b")]
    site.answers["/b"] = [status(308, Location=f"{site.address}/file")]
    fetch(source(site, "/a"), tmp_path / "file")
    assert left(tmp_path) == {"file": DATA}


def test_redirects_are_limited(site: Site, tmp_path: Path) -> None:
    site.answers["/a"] = [status(302, Location="/a")]
    with pytest.raises(WorkError, match=rf"^{site.address}/a: more than 5 redirects; use another"):
        fetch(source(site, "/a"), tmp_path / "file")
    assert len(site.seen) == 6
    assert left(tmp_path) == {}


@pytest.mark.parametrize("there", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x"])
def test_redirects_to_other_schemes_are_refused(there: str, site: Site, tmp_path: Path) -> None:
    site.answers["/a"] = [status(302, Location=there)]
    with pytest.raises(WorkError, match=rf"redirects from http to {there}, which is insecure"):
        fetch(source(site, "/a"), tmp_path / "file")
    assert left(tmp_path) == {}


def test_a_redirect_to_plain_http_is_refused() -> None:
    with pytest.raises(WorkError, match="redirects from http to gopher:x, which is insecure"):
        check_redirect("a", "http://x/", "gopher:x")
    with pytest.raises(
        WorkError, match=r"^a: redirects from https to http://y/, which is insecure"
    ):
        check_redirect("a", "https://x/", "http://y/")
    check_redirect("a", "https://x/", "https://y/")
    check_redirect("a", "http://x/", "https://y/")


# --- servers that fail


def test_a_stalled_server_is_an_error(site: Site, tmp_path: Path) -> None:
    file = source(site)
    site.answers["/file"] = [stall(1000)]
    with pytest.raises(
        WorkError, match=r"no answer within 0\.3 s, 2 times in a row; the same comm"
    ):
        fetch(file, tmp_path / "file", replace(QUICK, tries=2))
    assert left(tmp_path)["file.part"] == DATA[:1000]


def test_a_very_slow_server_is_an_error(site: Site, tmp_path: Path) -> None:
    def drip(handler: Handler) -> None:
        handler.send_file(DATA, 0)
        for byte in DATA:
            if handler.site.over.wait(0.05):
                return
            handler.wfile.write(bytes([byte]))

    file = source(site)
    site.answers["/file"] = [drip]
    with pytest.raises(WorkError, match=r"fewer than 100 bytes a second, 1 times in a row"):
        fetch(file, tmp_path / "file", replace(QUICK, tries=1))


def test_permanent_errors_are_not_retried(site: Site, tmp_path: Path) -> None:
    with pytest.raises(WorkError, match=r"/none: the server answers 404; use another source"):
        fetch(source(site, "/none"), tmp_path / "file")
    assert len(site.seen) == 1


def test_temporary_errors_are_retried(site: Site, tmp_path: Path) -> None:
    file = source(site)
    site.answers["/file"] = [status(500), status(503), whole]
    fetch(file, tmp_path / "file")
    assert left(tmp_path) == {"file": DATA}
    site.answers["/file"] = [status(500)]
    with pytest.raises(WorkError, match="the server answers 500, 3 times in a row"):
        fetch(file, tmp_path / "other")


@pytest.mark.parametrize("part", ["bytes 0-299999/300000", "", "lines 3-5/9"])
def test_a_wrong_range_is_not_used(part: str, site: Site, tmp_path: Path) -> None:
    def other_part(handler: Handler) -> None:
        handler.send_response(206)
        if part:
            handler.send_header("Content-Range", part)
        handler.send_header("Content-Length", "5")
        handler.end_headers()
        handler.wfile.write(b"wrong")

    file = source(site)
    site.answers["/file"] = [cut(100_000), other_part, whole]
    fetch(file, tmp_path / "file")
    assert left(tmp_path) == {"file": DATA}


def test_a_part_longer_than_the_file_is_discarded(site: Site, tmp_path: Path) -> None:
    file = source(site)
    site.answers["/file"] = [cut(100_000), status(416), whole]
    fetch(file, tmp_path / "file")
    assert [asked for _, asked in site.seen] == ["", "bytes=100000-", ""]
    assert left(tmp_path) == {"file": DATA}


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/x", "http://[bad/x", "http:///x"])
def test_unreachable_addresses_are_an_error(address: str, tmp_path: Path) -> None:
    with pytest.raises((WorkError, InputError)) as raised:
        fetch(Source(address), tmp_path / "file")
    assert str(raised.value).startswith(f"{address}: ")
    assert "\n" not in str(raised.value)
