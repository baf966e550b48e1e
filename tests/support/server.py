"""An HTTP server on 127.0.0.1 that misbehaves on demand."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Answer = Callable[["Handler"], None]


@dataclass
class Site:
    """The content of a server.

    files: path → body; answers: path → what it does instead, one answer per request, the last one
    repeated; ranges: whether it supports Range and ETag; seen: path and Range of every request;
    over: set when the test has ended.
    """

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    ranges: bool = True
    seen: list[tuple[str, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    """Sends files with ETag and Range, unless the site has another answer."""

    site: Site
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(ConnectionError):  # clients hang up
            super().handle()

    def do_GET(self) -> None:
        self.site.seen.append((self.path, self.headers.get("Range", "")))
        if answers := self.site.answers.get(self.path):
            self.close_connection = True
            (answers.pop(0) if len(answers) > 1 else answers[0])(self)
        elif self.path in self.site.files:
            self.send_file(self.site.files[self.path])
        else:
            self.send_status(404)

    def send_status(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_file(self, data: bytes, until: int | None = None) -> None:
        """Send the file, or its range if the tag is the same; until: the end if cut off."""
        tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and self.site.ranges and self.headers.get("If-Range", tag) == tag:
            start = int(asked[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        if self.site.ranges:
            self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start:until])


def cut(until: int) -> Answer:
    """Send the file up to this byte, then close."""
    return lambda handler: handler.send_file(handler.site.files[handler.path], until)


def status(number: int, **headers: str) -> Answer:
    """Answer with a status and no body."""
    return lambda handler: handler.send_status(number, **headers)


def whole(handler: Handler) -> None:
    """Answer as usual."""
    handler.send_file(handler.site.files[handler.path])


def stall(until: int) -> Answer:
    """Send the file up to this byte, then nothing until the test is over."""

    def answer(handler: Handler) -> None:
        handler.send_file(handler.site.files[handler.path], until)
        handler.site.over.wait(10)

    return answer


@contextmanager
def serving() -> Iterator[Site]:
    """Serve a site during the block."""
    bound = type("Bound", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), bound)
    server.daemon_threads = True
    site = Site(f"http://127.0.0.1:{server.server_port}")
    bound.site = site
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Serve a site, without a proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as it:
        yield it
