"""The mean of a cell and how sure it is, over patients and over draws.

The same patients are tested in every draw, so the two sources of chance are crossed. Each is the
textbook standard error of a mean: of the patients' means over patients, of the draws' means over
draws. Their squares add up, and the t quantile has the degrees of freedom of Welch and
Satterthwaite. A bootstrap over two or three draws would be far too narrow (it cannot leave the
range of the draws it saw); this is a t interval over draws where the draws matter, and the usual
t interval over patients where there is one draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """low and high are None where there is one patient and one draw.

    draw_variance, patient_variance   squared standard errors of the mean, None where there is one
    patients                          patients with at least one class to score
    """

    mean: float
    low: float | None
    high: float | None
    draws: int
    patients: int
    draw_variance: float | None
    patient_variance: float | None


def summarise(scores: np.ndarray) -> Interval | None:
    """(draws, patients, classes) in 0 to 1, NaN where there was nothing to score -> the interval.

    None where there was nothing to score at all.
    """
    values = patient_values(scores)
    if values is None:
        return None
    draws, patients = values.shape
    mean = float(values.mean())
    by_draw = _squared_error(values.mean(axis=1))
    by_patient = _squared_error(values.mean(axis=0))
    parts = [
        (part, count - 1)
        for part, count in ((by_draw, draws), (by_patient, patients))
        if part is not None
    ]
    low, high = _limits(mean, parts) if parts else (None, None)
    return Interval(mean, low, high, draws, patients, by_draw, by_patient)


def patient_values(scores: np.ndarray) -> np.ndarray | None:
    """(draws, patients, classes) -> (draws, patients) whose mean is the cell's mean.

    The cell's mean is the mean over draws of the mean over classes of the mean over patients. Where
    nothing is left out, a patient's value is just its mean over classes. Where a class is left out
    for some patients, each patient carries the draw's mean plus its own share of the deviations.
    """
    defined = ~np.isnan(scores)
    scored = defined.any(axis=(0, 2))
    if not scored.any():
        return None
    defined, scores = defined[:, scored], scores[:, scored]
    filled = np.where(defined, scores, 0.0)
    counts = defined.sum(axis=1, keepdims=True)  # (draws, 1, classes)
    class_means = filled.sum(axis=1, keepdims=True) / np.maximum(counts, 1)
    present = counts > 0
    classes = present.sum(axis=2)  # (draws, 1)
    usable = classes[:, 0] > 0
    if not usable.all():  # a draw in which nothing could be scored says nothing
        return patient_values(scores[usable])
    draw_means = np.where(present, class_means, 0.0).sum(axis=2) / classes
    deviations = np.where(defined, filled - class_means, 0.0) / np.maximum(counts, 1)
    patients = scores.shape[1]
    values: np.ndarray = draw_means + patients * deviations.sum(axis=2) / classes
    return values


def across_seeds(scores: Sequence[np.ndarray]) -> np.ndarray:
    """Runs of one draw, each (patients, classes) -> their mean; NaN only where all are NaN."""
    stacked = np.stack(scores)
    defined = ~np.isnan(stacked)
    counts = defined.sum(axis=0)
    sums = np.where(defined, stacked, 0.0).sum(axis=0)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _squared_error(means: np.ndarray) -> float | None:
    return None if len(means) < 2 else float(means.var(ddof=1) / len(means))


def _limits(mean: float, parts: list[tuple[float, int]]) -> tuple[float, float]:
    """Limits within 0 and 1 from (squared standard error, degrees of freedom) pairs."""
    total = sum(part for part, _ in parts)
    if total <= 0:
        return mean, mean
    freedom = total**2 / sum(part**2 / degrees for part, degrees in parts)
    reach = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * total**0.5
    return max(0.0, mean - reach), min(1.0, mean + reach)
