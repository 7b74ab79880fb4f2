"""Messages between supervisor and worker, and what a hostile other end can do to them."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.worker.channel import MOST_BYTES, Channel, ChannelClosedError, pair


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = pair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_messages_and_files_arrive_together(
    ends: tuple[Channel, socket.socket], tmp_path: Path
) -> None:
    ours, theirs = ends
    other = Channel(theirs)
    for number in range(3):
        (tmp_path / str(number)).write_text(f"file {number}")
    files = [os.open(tmp_path / str(number), os.O_RDONLY) for number in range(3)]

    def send() -> None:  # more than a socket holds: it waits for whoever reads
        ours.send({"first": 1, "long": "x" * 3_000_000}, files[:2])
        ours.send({"second": 2}, files[2:])

    sender = threading.Thread(target=send)
    sender.start()
    first, second = other.receive(), other.receive()
    sender.join()
    for file in files:
        os.close(file)
    assert first is not None
    assert second is not None
    assert (first[0]["first"], len(first[0]["long"]), second[0]) == (1, 3_000_000, {"second": 2})
    found = [os.read(file, 100).decode() for file in (*first[1], *second[1])]
    assert found == ["file 0", "file 1", "file 2"]
    for file in (*first[1], *second[1]):
        os.close(file)


def test_nothing_comes_within_the_time(ends: tuple[Channel, socket.socket]) -> None:
    assert ends[0].receive(0.01) is None


def test_the_other_end_is_gone(ends: tuple[Channel, socket.socket]) -> None:
    ours, theirs = ends
    theirs.close()
    with pytest.raises(ChannelClosedError):
        ours.receive()
    with pytest.raises(ChannelClosedError):
        ours.send({"anybody": "there"})


def message(content: bytes, *, size: int | None = None, files: int = 0) -> bytes:
    return struct.pack("!II", len(content) if size is None else size, files) + content


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (message(b"", size=MOST_BYTES + 1), "a message of"),
        (message(b"{}", files=10_000), "10000 files"),
        (message(b"{}", files=1), "0 files came of 1"),
        (message(b"no json"), "no JSON"),
        (message(b"[1, 2]"), "no object"),
        (message(b"[" * 200_000), "no JSON"),
        (message(b"\xff\xfe"), "no JSON"),
        (b"\x00\x00", "it ended"),
        (message(b"{}", size=100), "it ended"),
    ],
)
def test_a_hostile_end_is_refused(
    ends: tuple[Channel, socket.socket], sent: bytes, reason: str
) -> None:
    ours, theirs = ends

    def send() -> None:
        theirs.sendall(sent)
        theirs.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    with pytest.raises(ChannelClosedError, match=reason):
        ours.receive()
    sender.join()


def test_files_that_nobody_asked_for_are_closed(
    ends: tuple[Channel, socket.socket], tmp_path: Path
) -> None:
    """A worker can't fill our table of open files."""
    ours, theirs = ends
    (tmp_path / "file").write_text("x")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        file = os.open(tmp_path / "file", os.O_RDONLY)
        text = json.dumps({}).encode()
        socket.send_fds(theirs, [message(text)], [file])
        os.close(file)
        with pytest.raises(ChannelClosedError, match="1 files came of 0"):
            ours.receive()
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_a_message_that_stops_in_its_middle_is_given_up(
    ends: tuple[Channel, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor does not wait for ever: it has limits to hold the worker to."""
    ours, theirs = ends
    monkeypatch.setattr("bench.worker.channel.STALLED", 0.1)
    theirs.sendall(message(b"{}", size=10))
    with pytest.raises(ChannelClosedError, match="stopped in the middle"):
        ours.receive()
