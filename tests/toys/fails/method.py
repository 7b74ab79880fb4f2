"""One way of dying a value of `how`: what an executor must survive."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import numpy as np

from bench.contract import Progress


class Method:
    def __init__(self, options, setting):
        self.how = options.how

    def adapt(self, task, clock):
        yield Progress(steps=1, samples=1)
        if self.how == "raise":
            raise ValueError("this one\nhas two lines")
        if self.how == "exit":
            sys.exit(3)
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "hang":
            time.sleep(3600)
        if self.how == "memory":
            raise MemoryError
        if self.how == "interrupt":
            raise KeyboardInterrupt
        if self.how == "thread":
            threading.Thread(target=time.sleep, args=(3600,)).start()

    def predict(self, volume):
        return np.zeros(volume.image.shape, dtype=np.uint8)

    def state_dict(self):
        return {"nothing": np.zeros(1)}

    def load_state_dict(self, state):
        pass
