"""What a unit has gathered outside its method, carried from one start to the next."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bench.record.schema import CurvePoint, Resources

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
        "device_peaks": dict(run.device_peaks),
        "cpu_seconds": run.cpu_before + run.worker.cpu_seconds(),
        "background": run.background_before + run.worker.background,
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
    add_peaks(run.device_peaks, found["device_peaks"])
    run.cpu_before, run.background_before = found["cpu_seconds"], found["background"]
    assert run.trail is not None
    run.trail.resumed()


def resources(run: Run) -> Resources:
    """Parameters and device memory are what the method's process says of itself."""
    said = run.worker.call("parameters")
    peaks = add_peaks(run.device_peaks, said["device_peaks"])
    return Resources(
        peak_host_bytes=max(run.host_peak, run.worker.peak_bytes()),
        peak_device_bytes=max(peaks.values(), default=None),
        predict_peak_device_bytes=peaks.get("predict"),
        trainable_parameters=said["trainable"],
        total_parameters=said["total"],
    )


def add_peaks(known: dict[str, int], more: Mapping[str, int]) -> dict[str, int]:
    """Bytes by phase; the highest of a phase counts."""
    for phase, peak in more.items():
        known[phase] = max(int(peak), known.get(phase, 0))
    return known
