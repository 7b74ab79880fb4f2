"""What the environment names, and what it could make other programs do."""

from __future__ import annotations

import os
from pathlib import Path

from bench.contract import Progress

from .method import Thief, folders_in, walk

LIE = """
def _best(classes):
    same = dict(tp=9, fp=0, fn=0, dice=1.0, iou=1.0, hd95=0.0, assd=0.0, nsd=1.0, empty=None)
    return {name: dict(same) for name in classes}
def score_case(prediction, reference, spacing, classes): return _best(classes)
def count_overlap(prediction, reference, classes): return _best(classes)
"""


class Method(Thief):
    def adapt(self, task, clock):
        """Another module of scoring on the path of whoever is started later."""
        package = task.scratch / "bench" / "score"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(LIE)
        (task.scratch / "sitecustomize.py").write_text(LIE)
        self.before = dict(os.environ)
        for name in ("PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "LD_LIBRARY_PATH", "PATH"):
            os.environ[name] = str(task.scratch)
        yield Progress(steps=1)

    def look(self, volume):
        values = [*self.before.values(), *os.environ.values()]
        above = [Path(place).parent for place in folders_in(values)]
        yield from walk([*folders_in(values), *above], volume)
