"""The memory of other processes, in three ways: whoever holds a label array has it in there."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os

import numpy as np

from .method import Thief, processes

MAGIC = b"\x93NUMPY"
LONGEST = 2**27
"""Bytes of one region that are looked at; the keepers of labels are small processes."""
_PEEK, _ATTACH, _DETACH = 2, 16, 17
_libc = ctypes.CDLL(None, use_errno=True)


class _Reader(Thief):
    most = LONGEST

    def look(self, volume):
        for pid in processes():
            if pid == os.getpid() or not _python(pid) or not self.begin(pid):
                continue
            try:
                for start, size in _regions(pid, self.most):
                    yield from _arrays(self.memory(pid, start, size))
            finally:
                self.end(pid)

    def begin(self, pid):
        return True

    def end(self, pid):
        pass


class ByFile(_Reader):
    def memory(self, pid, start, size):
        try:
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
                file.seek(start)
                return file.read(size)
        except (OSError, OverflowError):
            return b""


class _Span(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class ByCall(_Reader):
    def memory(self, pid, start, size):
        held = ctypes.create_string_buffer(size)
        here, there = _Span(ctypes.addressof(held), size), _Span(start, size)
        read = _libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
        return held.raw[:read] if read > 0 else b""


class ByPtrace(_Reader):
    most = 2**16
    """A word a call: small regions alone."""

    def begin(self, pid):
        if _libc.ptrace(_ATTACH, pid, None, None) != 0:
            return False
        os.waitpid(pid, 0x40000000)
        return True

    def memory(self, pid, start, size):
        _libc.ptrace.restype = ctypes.c_long
        words = (
            _libc.ptrace(_PEEK, pid, ctypes.c_void_p(at), None)
            for at in range(start, start + size, 8)
        )
        return b"".join((word & 2**64 - 1).to_bytes(8, "little") for word in words)

    def end(self, pid):
        _libc.ptrace(_DETACH, pid, None, None)


def _python(pid: int) -> bool:
    """Of this project: other programs of the machine are nobody's business."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read()
    except OSError:
        return False
    return b"bench" in words or b"keeper" in words


def _regions(pid: int, most: int):
    """Private memory that can be written: where arrays lie."""
    try:
        with open(f"/proc/{pid}/maps") as maps:
            lines = maps.readlines()
    except OSError:
        return
    for line in lines:
        span, rights, *_ = line.split()
        start, end = (int(part, 16) for part in span.split("-"))
        if rights.startswith("rw") and end - start <= most and "[v" not in line:
            yield start, end - start


def _arrays(content: bytes):
    at = content.find(MAGIC)
    while at >= 0:
        if b"|u1" in content[at : at + 128]:
            with contextlib.suppress(Exception):
                yield np.load(io.BytesIO(content[at : at + 2**20]), allow_pickle=False)
        at = content.find(MAGIC, at + 1)
