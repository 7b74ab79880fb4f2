"""What a method could try, one function an attack: run in a confined process, each prints what it
got or how it failed. `python attacks.py NAME TARGET ...`; no import of the suite."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from pathlib import Path


def read(target: str, *_: str) -> str:
    return Path(target).read_text()


def listing(target: str, *_: str) -> str:
    return " ".join(os.listdir(Path(target).parent))


def symlink(target: str, *_: str) -> str:
    link = Path("link")
    link.symlink_to(target)
    return link.read_text()


def hard_link(target: str, *_: str) -> str:
    os.link(target, "hard")
    return Path("hard").read_text()


def by_descriptor(target: str, *_: str) -> str:
    folder = os.open(Path(target).parent, os.O_PATH)
    return Path(f"/proc/self/fd/{folder}/{Path(target).name}").read_text()


def by_root(target: str, *_: str) -> str:
    return Path(f"/proc/self/root{target}").read_text()


def by_parent_root(target: str, *_: str) -> str:
    return Path(f"/proc/{os.getppid()}/root{target}").read_text()


def by_parent_files(target: str, *_: str) -> str:
    found = []
    for file in os.listdir(f"/proc/{os.getppid()}/fd"):
        found.append(Path(f"/proc/{os.getppid()}/fd/{file}").read_text())
    return " ".join(found)


def parent_environment(target: str, *_: str) -> str:
    return Path(f"/proc/{os.getppid()}/environ").read_text()


def parent_memory(target: str, *_: str) -> str:
    with open(f"/proc/{os.getppid()}/mem", "rb") as memory:
        for line in Path(f"/proc/{os.getppid()}/maps").read_text().splitlines():
            place, rights = line.split()[:2]
            if "r" not in rights:
                continue
            start, end = (int(part, 16) for part in place.split("-"))
            try:
                memory.seek(start)
                if b"the answer" in memory.read(end - start):
                    return "the answer"
            except (OSError, ValueError):
                continue
    raise LookupError("not in its memory")


def ptrace(target: str, *_: str) -> str:
    attach = 16
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(attach, os.getppid(), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    return "the answer"


def vm_read(target: str, *_: str) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(8)
    pieces = (ctypes.c_size_t * 4)(ctypes.addressof(buffer), 8, 0x10000, 8)
    got = libc.process_vm_readv(
        os.getppid(), ctypes.byref(pieces, 0), 1, ctypes.byref(pieces, 16), 1, 0
    )
    code = ctypes.get_errno()
    if got < 0 and code != 14:  # a bad address: it was allowed to look
        raise OSError(code, "process_vm_readv")
    return "the answer"


def unmount(target: str, *_: str) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(os.fsencode(Path(target).parent), 2) != 0:
        raise OSError(ctypes.get_errno(), "umount")
    return Path(target).read_text()


def new_namespace(target: str, *_: str) -> str:
    """A namespace of its own in which it is root: what was hidden stays hidden."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x10020000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    libc.umount2(os.fsencode(Path(target).parent), 2)
    return Path(target).read_text()


def child(target: str, *_: str) -> str:
    import subprocess

    done = subprocess.run(["cat", target], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.stderr)
    return done.stdout


def network(target: str, port: str, *_: str) -> str:
    with socket.create_connection(("127.0.0.1", int(port)), timeout=5) as line:
        return line.recv(100).decode()


def write(target: str, port: str, results: str) -> str:
    Path(results, "record.json").write_text("{}")
    return "the answer"


def kill(target: str, *_: str) -> str:
    os.kill(os.getppid(), signal.SIGUSR1)
    return "the answer"


def scratch(target: str, *_: str) -> str:
    """What it may do."""
    Path("mine").write_text("allowed")
    return Path("mine").read_text()


if __name__ == "__main__":
    try:
        print("GOT", globals()[sys.argv[1]](*sys.argv[2:]))
    except (OSError, LookupError) as error:
        print("FAILED", type(error).__name__, error)
