"""The line between the method's process and the harness, in the method's own hands. Where the
harness has no such line, these do nothing."""

from __future__ import annotations

import json
import os
import stat
import struct

from bench.contract import Progress

from .method import Plain


def _lines():
    """Sockets that this process holds open."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if int(name) > 2 and stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                yield int(name)
        except OSError:
            continue


class Garbage(Plain):
    def adapt(self, task, clock):
        yield Progress(steps=1)
        for line in _lines():
            os.write(line, b"\xff" * 64)
        yield Progress(steps=1)


class Answers(Plain):
    """In place of what the session would answer: a step that is no number."""

    def adapt(self, task, clock):
        yield Progress(steps=1)
        reply = {"steps": "many", "samples": None, "loss": "low", "epoch": [], "worked": "NaN"}
        text = json.dumps(reply).encode()
        for line in _lines():
            os.write(line, struct.pack("!II", len(text), 0) + text)
        yield Progress(steps=1)
