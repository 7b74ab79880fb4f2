"""What a unit leaves beside its record, where it was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bench.record.schema import Files
from bench.record.whole import clear_scratch, whole
from bench.unit.handed import copy_handed
from bench.unit.spec import Unit
from bench.unit.worker import Worker


def keep_files(unit: Unit, worker: Worker, predictions: Mapping[str, np.ndarray]) -> Files:
    """Predictions as compressed label maps, the method's state as safetensors.

    predictions  case -> (D, H, W) uint8
    """
    results, key = Path(unit.results), unit.key
    folder, state = f"predictions/{key}", f"states/{key}.safetensors"
    kept = predictions if "predictions" in unit.keep else {}
    for case, label in kept.items():
        path = results / folder / f"{case}.npz"
        clear_scratch(path)
        with whole(path) as scratch, scratch.open("wb") as file:
            np.savez_compressed(file, label=label)
    if "state" in unit.keep:
        clear_scratch(results / state)
        worker.call("state")
        copy_handed(worker.folder / "out" / "state.safetensors", results / state)
    return Files(
        log=f"logs/{key}.log" if (results / f"logs/{key}.log").is_file() else None,
        predictions=folder if kept else None,
        state=state if "state" in unit.keep else None,
    )
