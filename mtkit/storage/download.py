"""Download a file over HTTP: resumable, bounded in time and size, verified.

httpx2 does the transfers: tokenizers already requires it, it streams, has separate timeouts for
connecting and reading, and detects a body that ends early.

    NAME              the whole file, once its size and hash are right
    NAME.part         what was received so far; it is kept after errors and Ctrl-C
    NAME.validator    the server's ETag or date of that part: only the same file is resumed

Limits: a download is not resumed if the server sends neither ETag nor date. If it sends no length,
an early end is detected only by a known size or hash.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urljoin, urlsplit

from mtkit.errors import InputError, WorkError

if TYPE_CHECKING:
    import httpx2

Progress = Callable[[int, int | None], None]  # bytes received, total bytes if known
MIN_SPEED = 100  # bytes/s; a server that is slower for the time of a timeout is stalled
RETRIED_STATUS = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server.

    timeout: seconds without an answer; tries: attempts of a transfer;
    pause: seconds before the second attempt, doubled before each further one;
    redirects: at most so many in a row.
    """

    timeout: float = 30
    tries: int = 4
    pause: float = 1
    redirects: int = 5


PATIENCE = Patience()


@dataclass(frozen=True)
class Source:
    """A file to fetch, and what is known of it; 0 and "" mean unknown.

    address: http, https, or a local path; bytes: its size; most: upper bound of its size, bytes;
    sha256, md5: in hexadecimal.
    """

    address: str
    bytes: int = 0
    most: int = 1 << 40
    sha256: str = ""
    md5: str = ""


class _TransientError(Exception):
    """An error that another attempt may not meet."""


def is_url(address: str) -> bool:
    """Return whether ``address`` is a URL, not a local path."""
    return "://" in address


def download(source: Source, to: Path, patience: Patience, progress: Progress) -> None:
    """Fetch a file, resuming an earlier download; ``to`` appears only when it is complete.

    Raises WorkError if the server fails, and InputError if the file is not the expected one.
    """
    import httpx2

    part, problem = to.with_name(f"{to.name}.part"), ""
    to.parent.mkdir(parents=True, exist_ok=True)
    with httpx2.Client(timeout=patience.timeout, headers={"Accept-Encoding": "identity"}) as client:
        for number in range(patience.tries):
            if number:
                time.sleep(patience.pause * 2 ** (number - 1))
            try:
                _transfer(client, source, part, patience, progress)
                break
            except _TransientError as error:
                problem = str(error)
            except httpx2.TimeoutException:
                problem = f"no answer within {patience.timeout:g} s"
            except httpx2.TransportError as error:
                problem = " ".join(str(error).split()) or type(error).__name__
            except httpx2.InvalidURL as error:
                raise InputError(f"{source.address}: {error}") from None
            except InputError:
                _remove_part(part)
                raise
        else:
            received = part.stat().st_size if part.exists() else 0
            hint = f"; the same command resumes it from {received:,} bytes" if received else ""
            raise WorkError(
                f"{source.address}: {problem}, {patience.tries} times in a row{hint}; "
                "use another source with --from"
            )
    try:
        verify(part, source)
    except InputError:
        _remove_part(part)
        raise
    part.replace(to)
    _validator_path(part).unlink(missing_ok=True)


def verify(path: Path, source: Source) -> str:
    """Return the SHA-256 of a file. Raises InputError if it does not fit ``source``.

    The message names the address of ``source``, because ``path`` may be temporary.
    """
    size = path.stat().st_size
    if source.bytes and size != source.bytes:
        raise _misfit(source, f"{size:,} bytes instead of {source.bytes:,}")
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            sha256.update(data)
            md5.update(data)
    for name, digest, wanted in (("sha256", sha256, source.sha256), ("md5", md5, source.md5)):
        if wanted and digest.hexdigest() != wanted.lower():
            raise _misfit(source, f"its {name} is {digest.hexdigest()} instead of {wanted.lower()}")
    return sha256.hexdigest()


def _misfit(source: Source, reason: str) -> InputError:
    return InputError(
        f"{source.address}: {reason}; the file changed on the server or was damaged in transit; "
        "try again, or use another source with --from"
    )


def _transfer(
    client: httpx2.Client, source: Source, part: Path, patience: Patience, progress: Progress
) -> None:
    """Make one attempt: append what ``part`` lacks, or fetch all if that is not possible.

    Raises _TransientError and the exceptions of httpx2 if another attempt may succeed.
    """
    validator = _validator_path(part)
    mark = validator.read_text("utf-8") if validator.exists() and part.exists() else ""
    start = part.stat().st_size if mark else 0
    range_headers = {"Range": f"bytes={start}-", "If-Range": mark} if start else {}
    with _response(client, source.address, range_headers, patience.redirects) as response:
        if response.status_code == 416:  # the file has no bytes after those received
            _remove_part(part)
            raise _TransientError(
                "the file on the server is shorter than the part already downloaded"
            )
        if response.status_code == 206:
            _check_range(response, start)
        elif response.status_code != 200:
            _raise_for_status(source.address, response.status_code)
        else:
            start = 0
            _save_validator(response, validator)
        total = _total(response, start)
        _check_size(source, total)
        with part.open("ab" if start else "wb") as file:
            for size in _chunks(response, file, start, patience.timeout):
                progress(size, total)
                _check_size(source, size, ended=False)


def _chunks(response: httpx2.Response, file: BinaryIO, size: int, timeout: float) -> Iterator[int]:
    """Write the body after ``size`` bytes; yield the bytes received after each chunk."""
    checked_at, checked_size = time.monotonic(), size
    for data in response.iter_raw():
        file.write(data)
        size += len(data)
        if (waited := time.monotonic() - checked_at) > timeout:
            if size - checked_size < MIN_SPEED * waited:
                raise _TransientError(f"fewer than {MIN_SPEED} bytes a second")
            checked_at, checked_size = time.monotonic(), size
        yield size


@contextmanager
def _response(
    client: httpx2.Client, address: str, headers: dict[str, str], redirects: int
) -> Iterator[httpx2.Response]:
    """Return the response after at most ``redirects`` redirects; see ``check_redirect``."""
    original = address
    for _ in range(redirects + 1):
        with client.stream("GET", address, headers=headers) as response:
            if not response.has_redirect_location:
                yield response
                return
            target = urljoin(address, response.headers["Location"])
        check_redirect(original, address, target)
        address = target
    raise WorkError(f"{original}: more than {redirects} redirects; use another source with --from")


def check_redirect(first: str, before: str, after: str) -> None:
    """Raise WorkError for a redirect to anything but http(s), and for one from https to http.

    first: the address of the original request, for the message.
    """
    schemes = urlsplit(before).scheme, urlsplit(after).scheme
    if schemes[1] not in ("http", "https") or schemes == ("https", "http"):
        raise WorkError(
            f"{first}: redirects from {schemes[0]} to {after[:200]}, which is insecure; "
            "nothing was fetched"
        )


def _raise_for_status(address: str, status: int) -> None:
    if status in RETRIED_STATUS:
        raise _TransientError(f"the server answers {status}")
    raise WorkError(f"{address}: the server answers {status}; use another source with --from")


def _check_range(response: httpx2.Response, start: int) -> None:
    """Raise _TransientError unless the response starts at byte ``start``."""
    content_range = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if not (content_range and int(content_range[1]) == start):
        raise _TransientError("the server sent another part of the file than requested")


def _total(response: httpx2.Response, start: int) -> int | None:
    """Return the size of the whole file by the Content-Length header, None without one."""
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() and len(length) < 19 else None


def _check_size(source: Source, size: int | None, ended: bool = True) -> None:
    """Raise InputError if the size does not fit ``source``.

    ended: whether ``size`` is the final size; otherwise more may follow.
    """
    if size is None:
        return
    if source.bytes and (size > source.bytes or (ended and size < source.bytes)):
        raise _misfit(source, f"{size:,} bytes instead of {source.bytes:,}")
    if size > source.most:
        raise _misfit(source, f"more than {source.most:,} bytes, far more than the catalog says")


def _validator_path(part: Path) -> Path:
    return part.with_name(f"{part.stem}.validator")


def _save_validator(response: httpx2.Response, validator: Path) -> None:
    """Save the ETag or date that identifies the file; weak ETags (W/…) are ignored."""
    tag = response.headers.get("ETag", "")
    mark = tag if tag.startswith('"') else response.headers.get("Last-Modified", "")
    validator.write_text(mark, encoding="utf-8")


def _remove_part(part: Path) -> None:
    for path in (part, _validator_path(part)):
        path.unlink(missing_ok=True)
