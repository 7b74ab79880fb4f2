"""What a unit has gathered outside its method, carried from one start to the next."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bench.record.schema import CurvePoint, Resources
from bench.unit.device import measure_resources

if TYPE_CHECKING:
    from bench.unit.run import Run


def carried(run: Run) -> dict[str, Any]:
    return {
        "curve": [point.model_dump() for point in run.curve],
        "best": run.best,
        "cold": run.cold,
        "seconds": run.seconds,
        "probe_seconds": run.probe_seconds,
        "scoring_seconds": run.scorer.seconds,
        "wall_seconds": time.perf_counter() - run.began,
        "host_peak": resources(run).peak_host_bytes,
        "device_peaks": dict(run.peaks.found),
    }


def take_up(run: Run, found: Mapping[str, Any]) -> None:
    """Seconds of all starts are added up; the highest peak of memory counts."""
    run.curve[:] = [CurvePoint.model_validate(point) for point in found["curve"]]
    run.best, run.cold = found["best"], found["cold"]
    run.seconds += found["seconds"]
    run.probe_seconds += found["probe_seconds"]
    run.scorer.seconds += found["scoring_seconds"]
    run.began -= found["wall_seconds"]
    run.host_peak = found["host_peak"]
    run.peaks.add(found["device_peaks"])
    assert run.trail is not None
    run.trail.resumed()


def resources(run: Run) -> Resources:
    now = measure_resources(run.method, run.peaks)
    return now.model_copy(update={"peak_host_bytes": max(run.host_peak, now.peak_host_bytes)})
