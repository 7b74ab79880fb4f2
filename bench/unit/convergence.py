"""When a run had arrived, from its probe curve; and when it first crossed a Dice level."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench.protocol import PLATEAU_STAY, PLATEAU_TOLERANCE, TARGETS
from bench.record.schema import Convergence, CurvePoint, Moment


def running_median(values: Sequence[float]) -> list[float]:
    """Median of each value with its neighbours; the ends have one neighbour less."""
    return [median(values[max(0, i - 1) : i + 2]) for i in range(len(values))]


def converge(curve: Sequence[CurvePoint]) -> Convergence:
    """First probe whose running median (3) is within 1 % of the plateau and stays within a point.

    The plateau is the median of the running median's last quarter, at least three probes. Where
    that quarter ends more than a point from where it began, the curve still moves and has none. The
    last probe has no later one to stay for, so it can't be the first. Else censored at the last.
    """
    scored = [point for point in curve if point.dice is not None]
    targets = {str(level): _first(scored, level) for level in TARGETS}
    if not scored:
        return _censored(None, targets, None, _no_score(curve))
    last = _moment(scored[-1])
    if not any(point.dice for point in scored):
        return _censored(None, targets, last, "never left zero")
    if len(scored) < 4:
        return _censored(None, targets, last, f"{len(scored)} probes are too few for a plateau")
    smooth = running_median([point.dice or 0.0 for point in scored])
    tail = smooth[-max(3, len(smooth) // 4) :]
    plateau = median(tail)
    if abs(tail[-1] - tail[0]) > PLATEAU_STAY:
        return _censored(None, targets, last, "still moving at the end")
    for i, value in enumerate(smooth[:-1]):
        near = abs(value - plateau) <= plateau * PLATEAU_TOLERANCE
        if near and all(abs(later - plateau) <= PLATEAU_STAY for later in smooth[i + 1 :]):
            return Convergence(
                plateau=plateau,
                converged=_moment(scored[i]),
                censored_at=None,
                targets=targets,
            )
    return _censored(plateau, targets, last, "never stayed at its plateau")


def _no_score(curve: Sequence[CurvePoint]) -> str:
    if curve:
        return "no class occurs in the probe patients"
    return "no probe: no training patient was left for it"


def _first(curve: Sequence[CurvePoint], level: float) -> Moment | None:
    return next((_moment(point) for point in curve if (point.dice or 0) >= level), None)


def _censored(
    plateau: float | None, targets: dict[str, Moment | None], at: Moment | None, note: str
) -> Convergence:
    return Convergence(plateau=plateau, converged=None, censored_at=at, targets=targets, note=note)


def _moment(point: CurvePoint) -> Moment:
    return Moment(
        epochs=point.epochs, steps=point.steps, samples=point.samples, seconds=point.seconds
    )
