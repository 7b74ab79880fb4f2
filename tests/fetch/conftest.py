"""A real server on this machine that behaves as badly as a test asks."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.errors import RequestError
from bench.fetch import RemoteFile, Silent, download, unpack

PIECE = 8192


@dataclass
class Site:
    """What the server sends, how it misbehaves, what it was asked. Lists: one item an answer."""

    body: bytes = b""
    ranges: bool = True
    obeys_if_range: bool = True
    etag: str | None = '"first"'
    modified: str | None = None
    kind: str = "application/octet-stream"
    length: str = "stated"  # stated | absent | chunked
    cuts: list[int | None] = field(default_factory=list)
    reset: bool = False
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    span: str | None = None
    redirect: str | None = None
    hold_at: int | None = None
    hold: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)
    asked: list[dict[str, str]] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    port: int = 0

    def url(self, name: str = "data.bin", *, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{name}"

    def remote(self, **changes: object) -> RemoteFile:
        """A card that tells the truth, but for `changes`."""
        truth = {
            "url": self.url(),
            "bytes": len(self.body),
            "sha256": hashlib.sha256(self.body).hexdigest(),
        }
        return RemoteFile(**{**truth, **changes})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        return

    def do_GET(self) -> None:
        site: Site = self.server.site
        site.asked.append({key.lower(): value for key, value in self.headers.items()})
        self.close_connection = True
        if self.path.startswith("/away") and site.redirect:
            self.head(302, {"Location": site.redirect, "Content-Length": "0"})
            return
        if site.statuses and (status := site.statuses.pop(0)) != 200:
            self.head(status, {"Content-Length": "0", **site.headers})
            return
        start, status = self.start(site)
        if status == 416:
            span = {"Content-Range": f"bytes */{len(site.body)}", "Content-Length": "0"}
            self.head(416, span)
        else:
            self.send(site, start, status)

    def start(self, site: Site) -> tuple[int, int]:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        changed = condition is not None and condition not in (site.etag, site.modified)
        if asked is None or not site.ranges or (changed and site.obeys_if_range):
            return 0, 200
        start = int(asked[1])
        return (start, 206) if start < len(site.body) else (0, 416)

    def send(self, site: Site, start: int, status: int) -> None:
        body = site.body[start:]
        headers = {"Content-Type": site.kind}
        if site.length == "stated":
            headers["Content-Length"] = str(len(body))
        if site.length == "chunked":
            headers["Transfer-Encoding"] = "chunked"
        if status == 206:
            end = len(site.body)
            headers["Content-Range"] = site.span or f"bytes {start}-{end - 1}/{end}"
        for key, value in (("ETag", site.etag), ("Last-Modified", site.modified)):
            if value is not None:
                headers[key] = value
        self.head(status, {**headers, **site.headers})
        site.sent.append(0)
        answer = len(site.sent) - 1
        cut = site.cuts.pop(0) if site.cuts else None
        with suppress(ConnectionError):  # a killed client hangs up
            for at in range(0, len(body), PIECE):
                if site.hold_at is not None and at >= site.hold_at:
                    site.held.set()
                    site.hold.wait(20)
                piece = body[at : min(at + PIECE, len(body) if cut is None else cut)]
                self.wfile.write(self.framed(piece, site))
                site.sent[answer] += len(piece)
                if cut is not None and at + PIECE >= cut:
                    self.hang_up(site)
                    return
            if site.length == "chunked":
                self.wfile.write(b"0\r\n\r\n")

    def framed(self, piece: bytes, site: Site) -> bytes:
        return b"%x\r\n%s\r\n" % (len(piece), piece) if site.length == "chunked" else piece

    def hang_up(self, site: Site) -> None:
        self.wfile.flush()
        if site.reset:  # a linger of 0 s makes the system send RST instead of FIN
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()

    def head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Connection", "close")
        self.end_headers()


class Lines(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.starts: list[tuple[str, int | None, int]] = []

    def say(self, line: str) -> None:
        self.said.append(line)

    def start(self, task: str, *, total: int | None, done: int) -> None:
        self.starts.append((task, total, done))


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """300,007 bytes (no multiple of any buffer) at `site.url()`."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    body = b"".join(hashlib.sha256(bytes([i % 251, i // 251])).digest() for i in range(9376))
    site = Site(body=body[:300_007])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.site = site
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    site.hold.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def fetch(tmp_path: Path, lines: Lines) -> Callable[..., Path]:
    """download() into tmp_path, impatient, its words kept in `lines`."""
    return partial(download, folder=tmp_path, progress=lines, backoff=0.01, timeout=60.0)


@pytest.fixture
def refuse(tmp_path: Path) -> Callable[..., str]:
    """The refusal of an archive, after a look that nothing was left or went astray."""

    def refuse(archive: Path, **more: object) -> str:
        before = set(tmp_path.rglob("*"))
        outside = set(os.listdir(tmp_path.parent))
        with pytest.raises(RequestError) as caught:
            unpack(archive, tmp_path / "in" / "raw", progress=Silent(), **more)
        after = set(tmp_path.rglob("*")) - before
        assert after <= {tmp_path / "in", tmp_path / "in" / ".raw.lock"}
        assert set(os.listdir(tmp_path.parent)) == outside
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return refuse
