"""One way of not minding one's manners a value of `how`: what must stay this unit's own affair."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from bench.contract import Progress


def fork():
    """The child comes back from the method, too."""
    os.fork()


def child():
    """A process that outlives the unit."""
    subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(3600)"])


def folder():
    """Into one that has modules with the names of others."""
    place = Path(tempfile.mkdtemp())
    os.chdir(place)
    for name in ("json.py", "numpy.py", "bench.py"):
        Path(name).write_text("raise ImportError('of the method')\n")


def environment():
    os.environ.clear()
    os.environ["PYTHONPATH"] = "/nowhere"
    os.environ["HOME"] = "/nowhere"


def streams():
    """Closed; what is printed later goes nowhere."""
    sys.stdout.close()
    sys.stderr.close()


def binary():
    sys.stdout.buffer.write(bytes(range(256)) * 4)
    sys.stdout.buffer.flush()
    os.write(2, b"\x1b[2J\xff\xfe\x00")


def reason():
    """What no terminal and no JSON file should be given."""
    raise ValueError("\x1b[31mred\x07 \udcff\x00 end")


def floods():
    """Prints until it is ended, or a gigabyte is full."""
    for _ in range(1000):
        os.write(1, b"all work and no play\n" * 50_000)


def fills():
    """Writes into its temporary folder until there is no room, or 64 MB are full."""
    with Path(tempfile.gettempdir(), "large").open("wb") as file:
        for _ in range(64):
            file.write(bytes(2**20))
            file.flush()


def greedy():
    """Takes memory until there is none, and keeps it."""
    used = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
    kept = []
    while True:
        kept.append(np.ones(2**21))


def scorer():
    """Ends every process that the harness has started."""
    for process in psutil.Process().children(recursive=True):
        process.kill()


def stubborn():
    """Neither asked nor interrupted does it stop."""
    for number in (signal.SIGUSR2, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    print("stubborn", flush=True)
    time.sleep(3600)


def device():
    """More than any GPU holds."""
    import torch

    torch.empty(2**45, dtype=torch.uint8, device="cuda")


class Method:
    def __init__(self, options, setting):
        self.how = options.how

    def adapt(self, task, clock):
        yield Progress(steps=1, samples=1, loss=1.0)
        if self.how not in ("nothing", "scorer"):
            globals()[self.how]()
        yield Progress(steps=1, samples=1, loss=0.5)

    def predict(self, volume):
        if self.how == "scorer":
            scorer()
        return (volume.image > np.median(volume.image)).astype(np.uint8)

    def state_dict(self):
        return {"nothing": np.zeros(1)}

    def load_state_dict(self, state):
        pass
