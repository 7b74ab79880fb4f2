"""A process that holds labels, and gives them to whoever asks: what a method must not reach.

    python keeper.py tcp=PORT udp=PORT unix=PATH abstract=NAME

The labels come as a line of JSON on standard input, case -> its .npy file in hexadecimal; when that
input ends, so does the keeper. A message is a case's name, the answer its file.
"""

from __future__ import annotations

import json
import mmap
import os
import socket
import sys
import threading


def answer_each(line: socket.socket, labels: dict[str, bytes]) -> None:
    while True:
        asked, _ = line.accept()
        with asked:
            asked.sendall(labels.get(asked.recv(256).decode("utf-8", "replace"), b"unknown"))


def answer_datagrams(line: socket.socket, labels: dict[str, bytes]) -> None:
    while True:
        asked, sender = line.recvfrom(256)
        line.sendto(labels.get(asked.decode("utf-8", "replace"), b"unknown"), sender)


def main() -> None:
    labels = {case: bytes.fromhex(text) for case, text in json.loads(sys.stdin.readline()).items()}
    # A region of its own, as a large array would have.
    held = mmap.mmap(-1, 2**16)
    held.write(b"".join(content.ljust(1024, b"\0") for content in labels.values()))
    for word in sys.argv[1:]:
        kind, _, address = word.partition("=")
        if kind == "udp":
            line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            line.bind(("127.0.0.1", int(address)))
            threading.Thread(target=answer_datagrams, args=(line, labels), daemon=True).start()
            continue
        family = socket.AF_INET if kind == "tcp" else socket.AF_UNIX
        line = socket.socket(family, socket.SOCK_STREAM)
        if kind == "tcp":
            line.bind(("127.0.0.1", int(address)))
        else:
            line.bind(address if kind == "unix" else "\0" + address)
        line.listen()
        threading.Thread(target=answer_each, args=(line, labels), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
