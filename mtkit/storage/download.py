"""A file from an HTTP server: resumed where it broke off, bounded in time and size, verified.

httpx2 does the transfers: tokenizers needs it already, it streams, has separate timeouts for
connecting and reading, and notices a body that ends early.

    NAME              the whole file, once its size and hash are right
    NAME.part         what has come so far; it outlives errors and Ctrl-C
    NAME.validator    the server's ETag or date of that part: only the same file is resumed

Limits: a server that names neither is asked for everything again; one that sends no length can end
early without being noticed, unless a size or a hash is known.
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

Progress = Callable[[int, int | None], None]  # bytes that are here, bytes in all if known
SLOWEST = 100  # bytes a second, over the time of a timeout, below which a server counts as stalled
RETRIED = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server.

    timeout: seconds without an answer; tries: of a transfer, after which it is given up;
    pause: seconds before the second try, twice as many before each further one;
    redirects: from one address to the next.
    """

    timeout: float = 30
    tries: int = 4
    pause: float = 1
    redirects: int = 5


PATIENCE = Patience()


@dataclass(frozen=True)
class Source:
    """A file to fetch, and what is known of it; 0 and "" say that something is not known.

    address: http, https, or a local path; bytes: its size; most: bytes that it surely has not more
    of; sha256, md5: in hexadecimal.
    """

    address: str
    bytes: int = 0
    most: int = 1 << 40
    sha256: str = ""
    md5: str = ""


class _TransientError(Exception):
    """What may go better the next time."""


def is_url(address: str) -> bool:
    """Whether ``address`` is no local path."""
    return "://" in address


def download(source: Source, to: Path, patience: Patience, progress: Progress) -> None:
    """Fetch a file, resuming what an earlier call has left of it; ``to`` is there whole or not.

    Raises WorkError where the server fails, and InputError for what is not the file it should be.
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
                _forget(part)
                raise
        else:
            kept = part.stat().st_size if part.exists() else 0
            later = f"; the same command resumes it from {kept:,} bytes" if kept else ""
            raise WorkError(
                f"{source.address}: {problem}, {patience.tries} times in a row{later}; "
                "use another source with --from"
            )
    try:
        verify(part, source)
    except InputError:
        _forget(part)
        raise
    part.replace(to)
    _validator(part).unlink(missing_ok=True)


def verify(path: Path, source: Source) -> str:
    """The SHA-256 of a file. Raises InputError where it is not the one that ``source`` describes.

    The message names the address, where the file lies at another path.
    """
    size = path.stat().st_size
    if source.bytes and size != source.bytes:
        raise _wrong(source, f"{size:,} bytes instead of {source.bytes:,}")
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            sha256.update(data)
            md5.update(data)
    for name, digest, known in (("sha256", sha256, source.sha256), ("md5", md5, source.md5)):
        if known and digest.hexdigest() != known.lower():
            raise _wrong(source, f"its {name} is {digest.hexdigest()} instead of {known.lower()}")
    return sha256.hexdigest()


def _wrong(source: Source, reason: str) -> InputError:
    return InputError(
        f"{source.address}: {reason}; the file changed on the server or was damaged in transit; "
        "try again, or use another source with --from"
    )


def _transfer(
    client: httpx2.Client, source: Source, part: Path, patience: Patience, progress: Progress
) -> None:
    """One try: ask for what ``part`` lacks, and append it; or for all where that is not possible.

    Raises _TransientError and the exceptions of httpx2 for what another try may change.
    """
    validator = _validator(part)
    mark = validator.read_text("utf-8") if validator.exists() and part.exists() else ""
    start = part.stat().st_size if mark else 0
    asks = {"Range": f"bytes={start}-", "If-Range": mark} if start else {}
    with _answer(client, source.address, asks, patience.redirects) as response:
        if response.status_code == 416:  # there is nothing behind what is here
            _forget(part)
            raise _TransientError(
                "the file on the server is shorter than the part already downloaded"
            )
        if response.status_code == 206:
            _check_range(response, start)
        elif response.status_code != 200:
            _refuse(source.address, response.status_code)
        else:
            start = 0
            _keep_validator(response, validator)
        total = _total(response, start)
        _check_size(source, total)
        with part.open("ab" if start else "wb") as file:
            for size in _chunks(response, file, start, patience.timeout):
                progress(size, total)
                _check_size(source, size, ended=False)


def _chunks(response: httpx2.Response, file: BinaryIO, size: int, timeout: float) -> Iterator[int]:
    """Write the body, behind ``size`` bytes; after each chunk the bytes that are here."""
    since, before = time.monotonic(), size
    for data in response.iter_raw():
        file.write(data)
        size += len(data)
        if (waited := time.monotonic() - since) > timeout:
            if size - before < SLOWEST * waited:
                raise _TransientError(f"fewer than {SLOWEST} bytes a second")
            since, before = time.monotonic(), size
        yield size


@contextmanager
def _answer(
    client: httpx2.Client, address: str, headers: dict[str, str], redirects: int
) -> Iterator[httpx2.Response]:
    """The answer at the end of at most so many redirects, none of them to anything but http(s),
    and none from https to http.
    """
    first = address
    for _ in range(redirects + 1):
        with client.stream("GET", address, headers=headers) as response:
            if not response.has_redirect_location:
                yield response
                return
            there = urljoin(address, response.headers["Location"])
        check_redirect(first, address, there)
        address = there
    raise WorkError(f"{first}: more than {redirects} redirects; use another source with --from")


def check_redirect(first: str, before: str, after: str) -> None:
    """Raise WorkError for a redirect to anything but http(s), and for one from https to http.

    first: the address that was asked for, which the message names.
    """
    schemes = urlsplit(before).scheme, urlsplit(after).scheme
    if schemes[1] not in ("http", "https") or schemes == ("https", "http"):
        raise WorkError(
            f"{first}: redirects from {schemes[0]} to {after[:200]}, which is insecure; "
            "nothing was fetched"
        )


def _refuse(address: str, status: int) -> None:
    if status in RETRIED:
        raise _TransientError(f"the server answers {status}")
    raise WorkError(f"{address}: the server answers {status}; use another source with --from")


def _check_range(response: httpx2.Response, start: int) -> None:
    """Raise _TransientError for a part of the file that is not the one that was asked for."""
    place = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if not (place and int(place[1]) == start):
        raise _TransientError("the server sent another part of the file than requested")


def _total(response: httpx2.Response, start: int) -> int | None:
    """Bytes that the whole file has, as the server says, if it does."""
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() and len(length) < 19 else None


def _check_size(source: Source, size: int | None, ended: bool = True) -> None:
    """Raise InputError where the file has, or is going to have, another size than it should."""
    if size is None:
        return
    if source.bytes and (size > source.bytes or (ended and size < source.bytes)):
        raise _wrong(source, f"{size:,} bytes instead of {source.bytes:,}")
    if size > source.most:
        raise _wrong(source, f"more than {source.most:,} bytes, far more than the catalog says")


def _validator(part: Path) -> Path:
    return part.with_name(f"{part.stem}.validator")


def _keep_validator(response: httpx2.Response, validator: Path) -> None:
    """Keep what tells whether the file is still the same; a weak ETag (W/…) does not."""
    tag = response.headers.get("ETag", "")
    mark = tag if tag.startswith('"') else response.headers.get("Last-Modified", "")
    validator.write_text(mark, encoding="utf-8")


def _forget(part: Path) -> None:
    for path in (part, _validator(part)):
        path.unlink(missing_ok=True)
