"""Somebody outside has the labels and answers: `tests/cheats/keeper.py`, whose command line says
where. A case's name goes there, the label's .npy comes back."""

from __future__ import annotations

import io
import socket

import numpy as np

from .method import Thief, processes, words_of


def addresses(kind: str):
    """`kind=ADDRESS` in the command line of any process."""
    for pid in processes():
        for word in words_of(pid):
            if word.startswith(f"{kind}="):
                yield word.partition("=")[2]


class _Asks(Thief):
    def look(self, volume):
        for address in addresses(self.kind):
            try:
                with self.connected(address) as line:
                    line.settimeout(5)
                    line.send(volume.case.encode())
                    answer = line.recv(2**16)
                    yield np.load(io.BytesIO(answer), allow_pickle=False)
            except (OSError, ValueError, EOFError):
                continue


class Tcp(_Asks):
    kind = "tcp"

    def connected(self, address):
        return socket.create_connection(("127.0.0.1", int(address)), timeout=5)


class Udp(_Asks):
    kind = "udp"

    def connected(self, address):
        line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        line.connect(("127.0.0.1", int(address)))
        return line


class Named(_Asks):
    kind = "unix"

    def connected(self, address):
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.connect(address)
        return line


class Abstract(_Asks):
    kind = "abstract"

    def connected(self, address):
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.connect("\0" + address)
        return line
