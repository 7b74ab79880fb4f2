"""The worker as its supervisor sees it: a process to ask, to measure from outside, and to end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bench.errors import MethodError
from bench.record.schema import Isolation
from bench.registry import ROOT
from bench.unit import process_tree, stop
from bench.unit.failure import reason_of_exit
from bench.unit.isolation import CODE, available_isolation, make_policy
from bench.unit.waiting import schedstat_of, thread_waited
from bench.unit.watch import Limits, check_limits
from bench.worker.channel import Channel, ChannelClosedError, pair

LAUNCH = Path(__file__).resolve().parent.parent / "worker" / "launch.py"
LOOK = 1.0
"""Seconds between two looks at what a working process takes up."""
UNSAVED = ("start", "volume", "make", "begin")
"""What comes before the first step: a unit that is asked to stop meanwhile loses nothing."""
ENDING = 10.0
"""Seconds that a worker has to end by itself."""
CACHES = ("XDG_CACHE_HOME", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "CUDA_CACHE_PATH")
"""Where libraries keep what they compiled: a folder that the worker may write."""


class Reply(dict[str, Any]):
    """An answer of the worker, in whose process anybody may answer."""

    def __missing__(self, name: str) -> Any:
        raise MethodError(f"its process answered the harness in a wrong way: it said no {name!r}")

    def number(self, name: str) -> float:
        try:
            return float(self[name])
        except (TypeError, ValueError):
            raise MethodError(
                f"its process answered the harness in a wrong way: {name!r} is no number"
            ) from None


Answer = Callable[[Mapping[str, Any]], tuple[dict[str, Any], list[int]]]
"""Answers one kind of question of the worker; the open files are handed over and closed."""


class Worker(Protocol):
    """isolation  how the process of the method is confined
    folder     `in/` and `out/` are for files that the two hand each other
    background CPU seconds that it used between two questions
    inline     it is this very process: what it uses can't be told from what we use
    """

    inline: bool
    isolation: Isolation
    folder: Path
    background: float

    def call(self, question: str, files: Sequence[int] = (), **facts: Any) -> Reply:
        """Its answer. Raises MethodError where the method failed, or its process ended."""

    def on(self, question: str, answer: Answer) -> None:
        """From now on, that is how this question of the worker is answered."""

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Nothing is asked of it meanwhile; what it and its children do is background."""

    def waited(self) -> float:
        """Seconds in which its first thread stood ready while other work had its core."""

    def cpu_seconds(self) -> float:
        """CPU time of it and all that it started."""

    def peak_bytes(self) -> int:
        """Of host memory."""


@dataclass
class WorkerProcess:
    """A worker in a process of its own. Use it in a `with` block: nothing of it outlives that."""

    isolation: Isolation
    folder: Path
    process: subprocess.Popen[bytes]
    channel: Channel
    limits: Limits = field(default_factory=Limits)
    background: float = 0.0
    inline: bool = False
    _answers: dict[str, Answer] = field(default_factory=dict)
    _rested: float | None = None
    _peak: int = 0
    _problem: str | None = None
    """Why it can't be asked any more."""

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def usable(self) -> bool:
        """It can be asked: it runs, and did nothing for which it was ended."""
        return self._problem is None and self.process.poll() is None

    def on(self, question: str, answer: Answer) -> None:
        self._answers[question] = answer

    def call(self, question: str, files: Sequence[int] = (), **facts: Any) -> Reply:
        if self._rested is not None:
            self.background += process_tree.cpu_seconds(self.process.pid) - self._rested
        if self._problem is not None:
            raise MethodError(self._problem)
        began = time.monotonic()
        try:
            self.channel.send({"question": question, **facts}, files)
            reply = self._wait(question, began)
        except ChannelClosedError:
            self._problem = self._how_it_ended()
            raise MethodError(self._problem) from None
        finally:
            self._rested = process_tree.cpu_seconds(self.process.pid)
        if "error" in reply:
            raise MethodError(str(reply["error"]))
        return Reply(reply)

    def _wait(self, question: str, began: float) -> dict[str, Any]:
        look = time.monotonic() + LOOK
        while True:
            found = self.channel.receive(max(0.0, look - time.monotonic()))
            if question in UNSAVED and stop.signalled():
                raise stop.Stopped(saved=False)
            if time.monotonic() >= look:
                self._peak = max(self._peak, process_tree.tree_resident_bytes(self.process.pid))
                problem = check_limits(
                    self.limits, question, time.monotonic() - began, self.process.pid, self.folder
                )
                if problem is not None:
                    self._problem = problem
                    self.end()
                    raise MethodError(problem)
                look = time.monotonic() + LOOK
            if found is None:
                continue
            message, files = found
            asked = message.pop("ask", None)
            if asked is None:
                _close(files)
                return message
            _close(files)
            self._reply(str(asked), message)

    def _reply(self, asked: str, facts: Mapping[str, Any]) -> None:
        if asked not in self._answers:
            raise MethodError(f"its process asked for {asked!r}, which nobody answers here")
        try:
            reply, files = self._answers[asked](facts)
        except (KeyError, TypeError, ValueError) as error:
            raise MethodError(f"its process asked for {asked} in a wrong way: {error}") from error
        try:
            self.channel.send(reply, files)
        finally:
            _close(files)

    def _how_it_ended(self) -> str:
        try:
            code = self.process.wait(timeout=ENDING)
        except subprocess.TimeoutExpired:
            return "its process closed the line to the harness"
        return reason_of_exit(code)

    @contextmanager
    def idle(self) -> Iterator[None]:
        pid = self.process.pid
        before, own = process_tree.tree_cpu_seconds(pid), process_tree.cpu_seconds(pid)
        yield
        children = process_tree.tree_cpu_seconds(pid) - before
        # What the process itself did is counted when it is asked the next time.
        self.background += max(0.0, children - (process_tree.cpu_seconds(pid) - own))

    def waited(self) -> float:
        return thread_waited(schedstat_of(self.process.pid))

    def cpu_seconds(self) -> float:
        return process_tree.tree_cpu_seconds(self.process.pid)

    def peak_bytes(self) -> int:
        return max(self._peak, process_tree.peak_resident_bytes(self.process.pid))

    def end(self) -> None:
        """The process and all that it started, wherever they went."""
        self.channel.close()
        left = process_tree.left_behind(self.process.pid)
        if self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=0.2)  # at the end of the channel it ends by itself
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        process_tree.kill_all([*left, *process_tree.left_behind(self.process.pid)])
        shutil.rmtree(self.folder, ignore_errors=True)


def _close(files: Sequence[int]) -> None:
    for file in files:
        with contextlib.suppress(OSError):
            os.close(file)


def start_worker(
    parent: Path, *, code: Sequence[Path], weights: Path, private: Sequence[Path], limits: Limits
) -> WorkerProcess:
    """A confined worker that has run no method's code yet. Its folder lies in `parent`."""
    folder = make_folder(parent)
    isolation = available_isolation()
    policy = make_policy(isolation, scratch=folder, code=code, weights=weights, private=private)
    channel, theirs = pair()
    environment = {**os.environ, "TMPDIR": str(folder / "tmp"), "PYTHONPATH": _import_path(folder)}
    for name in CACHES:
        environment[name] = str(folder / "tmp")
    with theirs:
        process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(LAUNCH)),
                json.dumps({**policy, "parent": os.getpid()}),
                *(sys.executable, "-m", "bench.worker", str(theirs.fileno()), str(folder)),
            ],
            stdin=subprocess.DEVNULL,
            env=environment,
            cwd=folder,
            pass_fds=(theirs.fileno(),),
        )
    return WorkerProcess(isolation, folder, process, channel, limits)


def _import_path(folder: Path) -> str:
    """The checkout's code through links: to list the checkout itself, with the results in it, is
    not among what a worker may do."""
    links = folder / "code"
    links.mkdir()
    for name in CODE:
        (links / name).symlink_to(ROOT / name)
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [entry for entry in given if entry and Path(entry).resolve() != ROOT]
    return os.pathsep.join([str(links), *kept])


def make_folder(parent: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="worker-", dir=parent))
    for name in ("in", "out", "tmp"):
        (folder / name).mkdir()
    return folder
