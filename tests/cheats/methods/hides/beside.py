"""Work that goes on while the harness believes that nobody works. The method's own thread waits for
it where it is not charged: in the predictions for the probe."""

from __future__ import annotations

import os
import threading

from bench.contract import Progress

from .method import Worker, work


class _Beside(Worker):
    ready = staticmethod(lambda: None)

    def adapt(self, task, clock):
        self.ready = self.started()
        while True:
            yield Progress(steps=1)

    def predict(self, volume):
        """The first one waits."""
        ready, self.ready = self.ready, lambda: None
        ready()
        return super().predict(volume)


class Thread(_Beside):
    def started(self):
        thread = threading.Thread(target=work, args=(self.seconds,), daemon=True)
        thread.start()
        return thread.join


class Child(_Beside):
    def started(self):
        pid = os.fork()
        if pid == 0:
            work(self.seconds)
            os._exit(0)
        return lambda: os.waitpid(pid, 0)


class Orphan(_Beside):
    def started(self):
        """Its parent ends at once, so that it is nobody's child any more."""
        reads, writes = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            if os.fork() == 0:
                work(self.seconds)
            os._exit(0)
        os.waitpid(pid, 0)
        os.close(writes)
        return lambda: os.read(reads, 1)
