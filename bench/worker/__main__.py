"""One worker: `python -m bench.worker DESCRIPTOR FOLDER`, started by `launch.py`.

It answers its supervisor until the channel ends, and then ends itself, whatever a method left
running.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from bench.worker.channel import Channel, ChannelClosedError


def serve(channel: Channel, folder: Path) -> None:
    from bench.worker.session import Session

    def ask(
        question: str, files: Sequence[int] = (), **facts: Any
    ) -> tuple[dict[str, Any], list[int]]:
        channel.send({"ask": question, **facts}, files)
        answered = channel.receive()
        assert answered is not None
        return answered

    session = Session(ask, folder)
    while True:
        asked = channel.receive()
        assert asked is not None
        facts, files = asked
        channel.send(session.answer(facts.pop("question"), files, facts))


def _ignore_requests() -> None:
    """A cluster asks all processes of a job to stop; the supervisor is the one who answers. What a
    method starts is ended by these signals, as ever."""
    requests = (signal.SIGUSR2, signal.SIGTERM, signal.SIGINT)
    for number in requests:
        signal.signal(number, lambda number, frame: None)

    def forget() -> None:
        for number in requests:
            signal.signal(number, signal.SIG_DFL)

    os.register_at_fork(after_in_child=forget)


def main() -> NoReturn:
    code = 0
    try:
        _ignore_requests()
        descriptor, folder = int(sys.argv[1]), Path(sys.argv[2])
        serve(Channel(socket.socket(fileno=descriptor)), folder)
    except ChannelClosedError:
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
