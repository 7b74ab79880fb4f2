"""Work that goes on while the harness believes that nobody works. The method's own thread waits for
it where it is not charged: in the predictions for the probe."""

from __future__ import annotations

import os
import threading
import time

from bench.contract import Progress

from .method import Worker, work

STEPS = 12


class _Beside(Worker):
    def adapt(self, task, clock):
        self.ready = self.started()
        for _ in range(STEPS):
            yield Progress(steps=1)
        self.ready = lambda: None

    def predict(self, volume):
        getattr(self, "ready", lambda: None)()
        return super().predict(volume)


class Thread(_Beside):
    def started(self):
        thread = threading.Thread(target=work, args=(self.seconds,), daemon=True)
        thread.start()
        return lambda: thread.join(self.seconds)


class Child(_Beside):
    def started(self):
        pid = os.fork()
        if pid == 0:
            work(self.seconds)
            os._exit(0)
        return lambda: _wait(pid, self.seconds)


class Orphan(_Beside):
    def started(self):
        """Its parent ends at once, so that it is nobody's child any more."""
        pid = os.fork()
        if pid == 0:
            os.setsid()
            if os.fork() == 0:
                work(self.seconds)
            os._exit(0)
        os.waitpid(pid, 0)
        end = time.monotonic() + 1.2 * self.seconds
        return lambda: time.sleep(max(0.0, end - time.monotonic()))


def _wait(pid: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
        except ChildProcessError:
            return
        time.sleep(0.01)
