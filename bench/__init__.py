"""sambench: which way of adapting SAM to use when only a few medical volumes are labelled.

The Python API (docs/api.md). `import bench` loads none of it: each name is imported when it is
first used, so that the command line starts quickly.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = ["Results", "__version__", "evaluate", "evaluate_folders", "load_results"]

_LAZY = {
    "evaluate": "bench.api.evaluation",
    "evaluate_folders": "bench.api.evaluation",
    "load_results": "bench.api.results",
    "Results": "bench.api.results",
}
"""Public name -> the module that defines it."""

if TYPE_CHECKING:  # the same names for a type checker and an editor
    from bench.api.evaluation import evaluate, evaluate_folders
    from bench.api.results import Results, load_results
else:

    def __getattr__(name: str) -> object:
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(_LAZY[name]), name)
        globals()[name] = value  # the next access is an ordinary one
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
