"""Valid records from few arguments, for any test that needs some.

from tests.board.factory import machine, record, save
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.record.schema import Record
from bench.record.store import record_path, write_record

VOXELS = 1000
"""Reference voxels of a class in a made-up case; a million times more where Dice is not exact."""


def machine(name: str = "aaaa1111", *, device: str = "cpu") -> dict[str, Any]:
    return {
        "fingerprint": name,
        "system": "Linux 6",
        "cpu": "Some CPU",
        "cores": 2,
        "threads": 2,
        "memory_gb": 16.0,
        "device": device,
    }


def score(dice: float | str) -> dict[str, Any]:
    """A class's scores with this Dice; "both", "missed" or "false_positive" for an empty mask."""
    distances: dict[str, Any] = {"hd95": 1.0, "assd": 0.5, "nsd": 0.9, "empty": None}
    if isinstance(dice, str):
        counts = {"both": (0, 0, 0), "missed": (0, 0, VOXELS), "false_positive": (0, 50, 0)}[dice]
        value = None if dice == "both" else 0.0
        far = None if dice == "both" else 90.0
        nsd = None if dice == "both" else 0.0
        distances = {"hd95": far, "assd": far, "nsd": nsd, "empty": dice}
        iou = value
    else:
        exact = abs(VOXELS * dice - round(VOXELS * dice)) < 1e-9
        voxels = VOXELS if exact else 10**6 * VOXELS
        tp = round(voxels * dice)
        counts = (tp, voxels - tp, voxels - tp)
        value = dice
        iou = dice / (2 - dice)
    tp, fp, fn = counts
    return {"tp": tp, "fp": fp, "fn": fn, "dice": value, "iou": iou, **distances}


Scores = Mapping[str, Sequence[float | str]] | Sequence[Sequence[float | str]]
"""case (or "patient/case") -> one Dice or empty-mask word for each class; or a list of patients."""


def cases(scores: Scores, classes: Sequence[str]) -> list[dict[str, Any]]:
    if not isinstance(scores, Mapping):
        scores = {f"p{index:03d}": values for index, values in enumerate(scores)}
    return [
        {
            "case": name.replace("/", "_"),
            "patient": name.split("/")[0],
            "shape": (10, 64, 64),
            "spacing": (2.0, 1.0, 1.0),
            "seconds": 0.5,
            "classes": {c: score(value) for c, value in zip(classes, values, strict=True)},
        }
        for name, values in scores.items()
    ]


def moment(epochs: float) -> dict[str, Any]:
    return {"epochs": epochs, "steps": int(epochs * 10), "samples": 80, "seconds": epochs}


def spread(median: float | None) -> dict[str, Any] | None:
    if median is None:
        return None
    return {"median": median, "q1": 0.9 * median, "q3": 1.1 * median, "n": 10}


def convergence(converged: float | None, censored: float | None) -> dict[str, Any] | None:
    if converged is None and censored is None:
        return None
    return {
        "plateau": 0.8,
        "converged": None if converged is None else moment(converged),
        "censored_at": None if censored is None else moment(censored),
        "targets": {"0.5": moment(1.0), "0.7": None, "0.8": None},
    }


def record(
    scores: Scores = ((0.8,),),
    *,
    method: str = "alpha",
    title: str = "A method",
    block: str = "method",
    overrides: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    source: str = "5" * 64,
    checkpoints: Mapping[str, str] | None = None,
    dataset: str = "toy",
    copy_name: str | None = None,
    fingerprint: str = "f" * 64,
    split: str = "ours",
    classes: Sequence[str] = ("organ",),
    test: Sequence[str] | None = None,
    spacing_from: str = "file",
    shots: str = "1",
    draw: str = "0",
    seed: int = 0,
    budget: str = "cpu-2min",
    budget_seconds: float | None = 120.0,
    backbone: str = "nano",
    val: str = "none",
    protocol: int = 1,
    reason: str | None = None,
    on: Mapping[str, Any] | None = None,
    pretraining_seconds: float | None = None,
    seconds: float = 100.0,
    waited: float | None = 0.0,
    converged: float | None = None,
    censored: float | None = None,
    samples_per_second: float | None = 40.0,
    slices_per_second: float | None = 25.0,
    parameters: int | None = 2_060_000,
    predictions: str | None = None,
    curve: Sequence[Mapping[str, Any]] = (),
    host_bytes: int = 512 * 2**20,
    key: str | None = None,
) -> Record:
    """A done record with these scores, or a failed one where there is a `reason`."""
    failed = reason is not None
    listed = [] if failed else cases(scores, classes)
    given = dict(overrides or {})
    identity = (
        *(method, sorted(given.items(), key=repr), source, dataset, copy_name, fingerprint, split),
        *(shots, draw, seed, budget, budget_seconds, backbone, val, protocol),
        *(sorted((checkpoints or {}).items()), sorted((options or {}).items(), key=repr)),
    )
    return Record.model_validate(
        {
            "protocol": protocol,
            "key": key or hashlib.sha256(repr(identity).encode()).hexdigest()[:16],
            "status": "failed" if failed else "done",
            "reason": reason,
            "created": "2026-01-02T03:04:05+00:00",
            "request": {
                "method": method,
                "options": {"lr": 0.001, **(options or {}), **given},
                "dataset": dataset,
                "shots": shots,
                "draw": draw,
                "seed": seed,
                "budget": {"name": budget, "seconds": budget_seconds},
                "backbone": backbone,
                "checkpoints": dict(checkpoints or {}),
                "val": val,
            },
            "method": {
                "title": title,
                "block": block,
                "source_sha256": source,
                "overrides": given,
            },
            "data": {
                "name": copy_name or dataset,
                "fingerprint": fingerprint,
                "modality": "mr",
                "classes": list(classes),
                "split": split,
                "split_sha256": "e" * 64,
                "spacing": spacing_from,
                "support": ["s000"],
                "support_slices": 10,
                "pool": 12,
                "probe": ["v000"],
                "test": list(test) if test is not None else [c["case"] for c in listed],
            },
            "pretraining": None
            if pretraining_seconds is None
            else {"key": "b" * 16, "reused": True, "pool": 12, "seconds": pretraining_seconds},
            "adaptation": {
                "epochs": 20,
                "steps": 200,
                "samples": 1600,
                "seconds": seconds,
                "waited_seconds": waited,
            },
            "curve": list(curve),
            "convergence": convergence(converged, censored),
            "throughput": None
            if failed
            else {
                "train_samples_per_second": spread(samples_per_second),
                "volumes_per_minute": spread(120.0),
                "slices_per_second": spread(slices_per_second),
                "cold_seconds": 0.7,
                "warm_seconds": 0.5,
            },
            "resources": None
            if failed
            else {
                "peak_host_bytes": host_bytes,
                "peak_device_bytes": None,
                "trainable_parameters": parameters,
                "total_parameters": parameters,
            },
            "cases": listed,
            "machine": dict(on or machine()),
            "versions": {"sambench": "0.1.0"},
            "files": {"predictions": predictions},
        }
    )


def save(results: Path, *records: Record) -> list[Path]:
    paths = [record_path(results, r.request, r.key) for r in records]
    for path, item in zip(paths, records, strict=True):
        write_record(path, item)
    return paths
