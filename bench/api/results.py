"""Records as tidy DataFrames: units, scores and probe curves."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.board.shortening import problem_of, shared, table_key
from bench.board.text import value_text
from bench.errors import RequestError
from bench.record.agreement import read_checked
from bench.record.schema import Record
from bench.record.store import record_files

MEASURES = ("dice", "iou", "hd95", "assd", "nsd", "tp", "fp", "fn")
SCORES = ("key", "case", "patient", "class", "measure", "value")
CURVE = ("key", "steps", "seconds", "epochs", "loss", "dice")
TEXT = ("reason", "isolation")
WHOLE = ("peak_host_bytes", "peak_device_bytes", "trainable_parameters")


@dataclass(frozen=True, eq=False)
class Results:
    """The records of a results folder. The column `key` joins the frames.

    units   a row a unit, failed ones included: key, table (units of one table may be ranked
            together; those without a backbone have one apart), dataset, data (the copy's name in
            the tables), method, block, overrides ("lr=0.01"), shots (text: "5" or "10%"), draw,
            seed, budget, backbone, val, protocol, status ("done", "failed"), reason (why it does
            not count), isolation, dice (mean over classes of the mean over patients; NaN where it
            does not count), seconds (pre-training and adaptation), pretraining_seconds,
            inference_seconds, steps, epochs, converged_epochs (NaN: it did not), device, machine
            (fingerprint), peak_host_bytes, peak_device_bytes, trainable_parameters, created
    scores  a row a unit, case, class and measure: key, case, patient, class, measure, value.
            Distances are in mm (voxels where the data say no spacing), counts in voxels; NaN where
            both masks are empty
    curve   a row a probe: key, steps, seconds, epochs, loss, dice, pre-training not counted
    """

    units: pd.DataFrame
    scores: pd.DataFrame
    curve: pd.DataFrame


def load_results(path: str | os.PathLike[str] = "results") -> Results:
    """Reads every record below `path`, a results folder (it has `records/` in it).

    RequestError, in one line with the file's name, for a record that is broken, was edited by hand,
    or has another's key.
    """
    results = Path(path).expanduser()
    if not results.is_dir():
        raise RequestError(f"{results}: there is no such folder")
    files = record_files(results)
    if not files:
        raise RequestError(
            f"{results} holds no record: give the results folder, which has records/ in it"
        )
    collecting = gc.isenabled()
    gc.disable()  # records hold no cycles, and looking for some takes a third of the time
    try:
        return _frames(_distinct(files))
    finally:
        if collecting:
            gc.enable()


def _distinct(files: Sequence[Path]) -> list[Record]:
    """In the order of their keys."""
    found: dict[str, tuple[Path, Record]] = {}
    for path in files:
        record = read_checked(path)
        if record.key in found:
            raise RequestError(
                f"records {found[record.key][0]} and {path} have the same key {record.key}; "
                "delete one"
            )
        found[record.key] = (path, record)
    return [found[key][1] for key in sorted(found)]


def _frames(records: Sequence[Record]) -> Results:
    known: dict[object, object] = {}
    units = pd.DataFrame([_unit(record, known) for record in records])
    units = units.astype({**dict.fromkeys(TEXT, "string"), **dict.fromkeys(WHOLE, "Int64")})
    scores = _scores(records)
    mean = _mean_dice(scores).reindex(units["key"]).to_numpy()
    counted = units["reason"].isna().to_numpy(dtype=bool)
    units.insert(list(units).index("isolation") + 1, "dice", np.where(counted, mean, np.nan))
    curve = pd.DataFrame(
        [
            (record.key, point.steps, point.seconds, point.epochs, point.loss, point.dice)
            for record in records
            for point in record.curve
        ],
        columns=list(CURVE),
    )
    numbers = {"steps": "int64", **dict.fromkeys(("seconds", "epochs", "loss", "dice"), "float64")}
    return Results(units=units, scores=scores, curve=curve.astype(numbers))


def _unit(record: Record, known: dict[object, object]) -> dict[str, Any]:
    """`known`: the tables of the units before, added to; a table's id is worked out once."""
    request, used = record.request, record.resources
    before = record.pretraining.seconds if record.pretraining else 0.0
    changed = record.method.overrides
    converged = record.convergence.converged if record.convergence else None
    return {
        "key": record.key,
        "table": shared(table_key(record), known).id,
        "dataset": request.dataset,
        "data": record.data.name,
        "method": request.method,
        "block": record.method.block,
        "overrides": " ".join(f"{name}={value_text(changed[name])}" for name in sorted(changed)),
        "shots": request.shots,
        "draw": request.draw,
        "seed": request.seed,
        "budget": request.budget.name,
        "backbone": request.backbone,
        "val": request.val,
        "protocol": record.protocol,
        "status": record.status,
        "reason": problem_of(record),
        "isolation": record.harness.isolation if record.harness else None,
        "seconds": before + record.adaptation.seconds,
        "pretraining_seconds": before,
        "inference_seconds": sum(case.seconds for case in record.cases),
        "steps": record.adaptation.steps,
        "epochs": float(record.adaptation.epochs),
        "converged_epochs": float("nan") if converged is None else float(converged.epochs),
        "device": record.machine.device,
        "machine": record.machine.fingerprint,
        "peak_host_bytes": used.peak_host_bytes if used else None,
        "peak_device_bytes": used.peak_device_bytes if used else None,
        "trainable_parameters": used.trainable_parameters if used else None,
        "created": record.created,
    }


def _scores(records: Sequence[Record]) -> pd.DataFrame:
    """Long form. The names of a case and class are repeated for each measure, not looked up."""
    names: list[tuple[str, str, str, str]] = []
    values: list[tuple[float | None, ...]] = []
    for record in records:
        for case in record.cases:
            for name, s in case.classes.items():
                names.append((record.key, case.case, case.patient, name))
                values.append((s.dice, s.iou, s.hd95, s.assd, s.nsd, s.tp, s.fp, s.fn))
    named = np.array(names, dtype=object).reshape(len(names), 4)
    columns = {
        column: np.repeat(named[:, index], len(MEASURES)) for index, column in enumerate(SCORES[:4])
    }
    return pd.DataFrame(
        {
            **columns,
            "measure": np.tile(np.array(MEASURES, dtype=object), len(names)),
            "value": np.array(values, dtype=np.float64).reshape(-1),
        }
    )


def _mean_dice(scores: pd.DataFrame) -> pd.Series[float]:
    """Key -> mean over classes of the mean over patients; a patient's cases averaged first."""
    dice = scores[scores["measure"] == "dice"]
    by_patient = dice.groupby(["key", "class", "patient"])["value"].mean()
    return by_patient.groupby(["key", "class"]).mean().groupby("key").mean()
