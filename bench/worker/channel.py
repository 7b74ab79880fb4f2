"""Messages between supervisor and worker: JSON over a Unix socket, open files beside it.

An open file is the only way in which data reaches a worker: it needs no path, and has none.
"""

from __future__ import annotations

import array
import json
import os
import select
import socket
import struct
from collections.abc import Sequence
from typing import Any

_HEAD = struct.Struct("!II")
"""Bytes of the text, number of files."""
MOST_FILES = 200
"""Open files in one message; the kernel takes 253."""
STALLED = 60.0
"""Seconds after which the rest of a message does not come any more."""
MOST_BYTES = 64 * 2**20
"""Of one message. A worker is not trusted: more is an error, not memory."""


class ChannelClosedError(Exception):
    """The other side is gone."""


class Channel:
    """One end. Not safe for two threads at once."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._files: list[int] = []

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: dict[str, Any], files: Sequence[int] = ()) -> None:
        text = json.dumps(message).encode()
        head = _HEAD.pack(len(text), len(files))
        beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
        try:
            self._socket.sendmsg([head], beside)
            self._socket.sendall(text)
        except OSError as error:
            raise ChannelClosedError(str(error)) from error

    def receive(self, timeout: float | None = None) -> tuple[dict[str, Any], list[int]] | None:
        """A message and its files, which are then the caller's to close; None after `timeout`
        seconds without one."""
        if timeout is not None:
            ready, _, _ = select.select([self._socket], [], [], timeout)
            if not ready:
                return None
        # Descriptors of earlier, refused messages are not handed out with this one.
        for old in self._files:
            os.close(old)
        self._files = []
        size, count = _HEAD.unpack(self._exactly(_HEAD.size))
        if size and size <= MOST_BYTES and not select.select([self._socket], [], [], STALLED)[0]:
            raise ChannelClosedError("a message that stopped in the middle")
        if size > MOST_BYTES or count > MOST_FILES:
            raise ChannelClosedError(f"a message of {size} bytes and {count} files")
        text = self._exactly(size)
        files, self._files = self._files, []
        if len(files) != count:
            for file in files:
                os.close(file)
            raise ChannelClosedError(f"{len(files)} files came of {count}")
        try:
            message = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ChannelClosedError("a message that is no JSON") from error
        if not isinstance(message, dict):
            raise ChannelClosedError("a message that is no object")
        return message, files

    def _exactly(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size:
            if parts and not select.select([self._socket], [], [], STALLED)[0]:
                raise ChannelClosedError("a message that stopped in the middle")
            try:
                data, beside, _, _ = self._socket.recvmsg(
                    min(size, 2**20), socket.CMSG_SPACE(4 * MOST_FILES)
                )
            except InterruptedError:
                continue
            except OSError as error:
                raise ChannelClosedError(str(error)) from error
            for level, kind, payload in beside:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    found = array.array("i")
                    found.frombytes(payload[: len(payload) - len(payload) % found.itemsize])
                    self._files.extend(found)
            if not data:
                raise ChannelClosedError("it ended")
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def close(self) -> None:
        self._socket.close()


def pair() -> tuple[Channel, socket.socket]:
    """Our end, and the end to be inherited by the process that is started."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return Channel(ours), theirs
