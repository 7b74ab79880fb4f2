"""One whole record, every part filled in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench.record.schema import Record

Make = Callable[..., Record]


def whole() -> dict[str, Any]:
    moment = {"epochs": 2.0, "steps": 20, "samples": 160, "seconds": 4.5}
    spread = {"median": 2.0, "q1": 1.0, "q3": 3.0, "n": 9}
    missed = {"tp": 0, "fp": 0, "fn": 7, "dice": 0.0, "iou": 0.0, "hd95": 91.0, "assd": 91.0}
    return {
        "schema_version": 1,
        "protocol": 1,
        "key": "0123456789abcdef",
        "status": "done",
        "reason": None,
        "created": "2026-01-02T03:04:05+00:00",
        "request": {
            "method": "toy",
            "options": {"lr": 0.1, "sizes": [8, 16], "flip": True, "root": None},
            "dataset": "toy_data",
            "dataset_options": {"side": 32},
            "shots": "10%",
            "draw": "0",
            "seed": 0,
            "budget": {
                "name": "cpu-1min",
                "seconds": 60.0,
                "steps": None,
                "memory_gb": None,
                "probes": 6,
            },
            "backbone": "nano",
            "checkpoints": {"sam": "nano"},
            "pool": ["other", "toy_data"],
            "val": "none",
        },
        "method": {
            "title": "Toy",
            "block": "method",
            "source_sha256": "ab" * 32,
            "overrides": {"lr": 0.1},
            "unlabelled_images": False,
        },
        "data": {
            "name": "toy_data",
            "fingerprint": "cd" * 32,
            "modality": "MR",
            "classes": ["gland", "lesion"],
            "split": "ours",
            "split_sha256": "ef" * 32,
            "spacing": "file",
            "skipped": [],
            "support": ["c1"],
            "support_slices": 12,
            "pool": 5,
            "pools": [
                {
                    "dataset": "other",
                    "name": "other, 9 of 10 cases",
                    "fingerprint": "ba" * 32,
                    "split_sha256": "dc" * 32,
                    "cases": 3,
                }
            ],
            "probe": ["c4"],
            "test": ["c5"],
        },
        "pretraining": {
            **moment,
            "waited_seconds": None,
            "overshoot_seconds": 0.0,
            "overshoot_steps": 0,
            "ended": "budget",
            "embeddings": None,
            "peak_device_bytes": None,
            "key": "fedcba9876543210",
            "reused": True,
            "pool": 5,
        },
        "adaptation": {
            **moment,
            "waited_seconds": 0.5,
            "overshoot_seconds": 0.25,
            "overshoot_steps": 0,
            "ended": "budget",
            "embeddings": {
                "state": "mixed",
                "hits": 3,
                "misses": 2,
                "computed_seconds": 1.5,
                "owed_seconds": 2.5,
            },
            "peak_device_bytes": 10**8,
        },
        "curve": [{**moment, "loss": 0.7, "dice": 0.5, "classes": {"gland": 0.5, "lesion": None}}],
        "convergence": {
            "plateau": None,
            "converged": None,
            "censored_at": moment,
            "targets": {"0.5": moment, "0.7": None, "0.8": None},
            "note": "1 probes are too few for a plateau",
        },
        "throughput": {
            "train_samples_per_second": {**spread},
            "volumes_per_minute": {**spread},
            "slices_per_second": {**spread},
            "cold_seconds": 1.5,
            "warm_seconds": 0.5,
        },
        "resources": {
            "peak_host_bytes": 10**9,
            "peak_device_bytes": None,
            "predict_peak_device_bytes": None,
            "trainable_parameters": 1000,
            "total_parameters": 1000,
            "energy_joules": None,
        },
        "cases": [
            {
                "case": "c5",
                "patient": "p5",
                "shape": [12, 64, 64],
                "spacing": [3.0, 1.0, 1.0],
                "seconds": 0.5,
                "classes": {
                    "gland": {
                        "tp": 90,
                        "fp": 10,
                        "fn": 10,
                        "dice": 0.9,
                        "iou": 90 / 110,
                        "hd95": 2.0,
                        "assd": 0.5,
                        "nsd": 0.8,
                        "empty": None,
                    },
                    "lesion": {**missed, "nsd": 0.0, "empty": "missed"},
                },
            }
        ],
        "machine": {
            "fingerprint": "aaaabbbbcccc",
            "system": "Linux x86_64",
            "cpu": "Some CPU",
            "cores": 2,
            "threads": 2,
            "memory_gb": 16.0,
            "device": "cpu",
            "device_memory_gb": None,
            "jobs_per_gpu": None,
        },
        "versions": {"python": "3.11.9", "torch": "2.9"},
        "harness": {
            "wall_seconds": 70.0,
            "method_seconds": 62.0,
            "probe_seconds": 3.0,
            "scoring_seconds": 4.0,
            "overhead_seconds": 1.0,
            "isolation": "landlock",
            "worker_seconds": 59.0,
            "cpu_seconds": 80.0,
            "background_cpu_seconds": 0.5,
            "deterministic": None,
            "predict_limit": 600.0,
        },
        "files": {"log": None, "predictions": None, "state": None},
        "interruptions": [
            {"started": "2026-01-02T03:00:00+00:00", "stopped": None, "resumed": False}
        ],
    }


@pytest.fixture
def raw() -> dict[str, Any]:
    """The record as plain data, to be changed at will."""
    return whole()


@pytest.fixture(scope="session")
def make() -> Make:
    """make(key=..., status=..., shots=..., ...): a record; words of the request go there."""

    def call(**changes: Any) -> Record:
        content = whole()
        for name, value in changes.items():
            (content["request"] if name in content["request"] else content)[name] = value
        return Record.model_validate(content)

    return call
