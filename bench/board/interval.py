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
FEW_PATIENTS = 50
"""Below so many test patients a table says that they are few."""


@dataclass(frozen=True)
class Interval:
    """low and high are None where there is one patient and one draw.

    draw_variance, patient_variance   squared standard errors of the mean, None where there is one
    patients                          patients with at least one class to score
    draw_share, patient_share         parts of the variance of single scores, see `shares`
    """

    mean: float
    low: float | None
    high: float | None
    draws: int
    patients: int
    draw_variance: float | None
    patient_variance: float | None
    draw_share: float | None = None
    patient_share: float | None = None


@dataclass(frozen=True, eq=False)
class TwoLevel:
    """Means of tables of draws and patients, as many at once as the leading axes say.

    variance                          squared standard error; 0 where all values are equal
    freedom                           degrees of freedom; NaN where the variance is 0
    draw_variance, patient_variance   the two parts; None where there is one draw, one patient
    """

    mean: np.ndarray
    variance: np.ndarray
    freedom: np.ndarray
    draw_variance: np.ndarray | None
    patient_variance: np.ndarray | None
    draws: int
    patients: int

    @property
    def known(self) -> bool:
        """False with one draw and one patient: then nothing is known of chance."""
        return self.draw_variance is not None or self.patient_variance is not None

    def reach(self) -> np.ndarray:
        """Half the interval's width: the t quantile times the standard error."""
        quantile = np.where(self.variance > 0, stdtrit(self.freedom, 0.5 + CONFIDENCE / 2), 0.0)
        found: np.ndarray = quantile * np.sqrt(self.variance)
        return found

    def careful_reach(self, alpha: float) -> np.ndarray:
        """Half the width at any level: each part with the t quantile of its own degrees of freedom
        (Cochran). Three draws' variance is near 0 by luck often enough: what `freedom` then makes
        of it does little harm at 5 %, and much far out in the tail."""
        squares = np.zeros_like(self.mean)
        parts = ((self.draw_variance, self.draws), (self.patient_variance, self.patients))
        for part, count in parts:
            if part is not None:
                squares = squares + part * stdtrit(count - 1, 1 - alpha / 2) ** 2
        return np.sqrt(squares)


def two_level(values: np.ndarray) -> TwoLevel:
    """(..., draws, patients) -> the mean over both and how sure it is."""
    draws, patients = values.shape[-2:]
    by_draw = _squared_error(values.mean(axis=-1))
    by_patient = _squared_error(values.mean(axis=-2))
    parts = [
        (part, count - 1)
        for part, count in ((by_draw, draws), (by_patient, patients))
        if part is not None
    ]
    mean = values.mean(axis=(-2, -1))
    total = sum((part for part, _ in parts), start=np.zeros_like(mean))
    weighted = sum((part**2 / degrees for part, degrees in parts), start=np.zeros_like(mean))
    freedom = np.full_like(mean, np.nan)
    np.divide(total**2, weighted, out=freedom, where=weighted > 0)
    return TwoLevel(mean, total, freedom, by_draw, by_patient, draws, patients)


def summarise(scores: np.ndarray) -> Interval | None:
    """(draws, patients, classes) in 0 to 1, NaN where there was nothing to score -> the interval.

    None where there was nothing to score at all.
    """
    values = patient_values(scores)
    if values is None:
        return None
    draws, patients = values.shape
    found = two_level(values)
    mean, reach = float(found.mean), float(found.reach())
    parts = shares(values)
    return Interval(
        mean=mean,
        low=max(0.0, mean - reach) if found.known else None,
        high=min(1.0, mean + reach) if found.known else None,
        draws=draws,
        patients=patients,
        draw_variance=_number(found.draw_variance),
        patient_variance=_number(found.patient_variance),
        draw_share=parts[0] if parts else None,
        patient_share=parts[1] if parts else None,
    )


def shares(values: np.ndarray) -> tuple[float, float] | None:
    """(draws, patients) -> the parts of a single score's variance that are the draw's and the
    patient's; the rest belongs to neither (this patient with this draw, and the seed).

    Components of the two-way table without repetition: the mean squares of draws and patients less
    the rest's, negative ones taken as 0. None with one draw or one patient, or without variance.
    """
    draws, patients = values.shape
    if draws < 2 or patients < 2:
        return None
    by_draw, by_patient = values.mean(axis=1), values.mean(axis=0)
    rest = values - by_draw[:, None] - by_patient + values.mean()
    within = float((rest**2).sum()) / ((draws - 1) * (patients - 1))
    of_draw = max(0.0, float(by_draw.var(ddof=1)) - within / patients)
    of_patient = max(0.0, float(by_patient.var(ddof=1)) - within / draws)
    total = of_draw + of_patient + within
    return (of_draw / total, of_patient / total) if total > 1e-24 else None


def patient_values(scores: np.ndarray) -> np.ndarray | None:
    """(draws, patients, classes) -> (draws, patients) whose mean is the cell's mean.

    The cell's mean is the mean over draws of the mean over classes of the mean over patients. Where
    nothing is left out, a patient's value is just its mean over classes. Where a class is left out
    for some patients, each patient carries the draw's mean plus its own share of the deviations.
    A draw or a patient in which nothing could be scored says nothing, and has no row or column.
    """
    scored = ~np.isnan(scores).all(axis=(0, 2))
    usable = ~np.isnan(scores).all(axis=(1, 2))
    if not scored.any():
        return None
    means, parts = contributions(scores[usable][:, scored])
    values: np.ndarray = means[:, None] + scored.sum() * parts
    return values


def contributions(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(draws, patients, classes) -> the draws' means, NaN for one in which nothing could be scored,
    and what each patient adds to its draw's mean, (draws, patients), whose sum over patients is 0.
    """
    defined = ~np.isnan(scores)
    filled = np.where(defined, scores, 0.0)
    counts = defined.sum(axis=1, keepdims=True)  # (draws, 1, classes)
    class_means = filled.sum(axis=1, keepdims=True) / np.maximum(counts, 1)
    present = counts > 0
    classes = present.sum(axis=2)  # (draws, 1)
    sums = np.where(present, class_means, 0.0).sum(axis=2)
    means = np.divide(sums, classes, out=np.full_like(sums, np.nan), where=classes > 0)
    deviations = np.where(defined, filled - class_means, 0.0) / np.maximum(counts, 1)
    return means[:, 0], deviations.sum(axis=2) / np.maximum(classes, 1)


def across_seeds(scores: Sequence[np.ndarray]) -> np.ndarray:
    """Runs of one draw, each (patients, classes) -> their mean; NaN only where all are NaN."""
    if len(scores) == 1:  # nearly always, and there are many
        return scores[0]
    stacked = np.stack(scores)
    defined = ~np.isnan(stacked)
    counts = defined.sum(axis=0)
    sums = np.where(defined, stacked, 0.0).sum(axis=0)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _squared_error(means: np.ndarray) -> np.ndarray | None:
    """Of a mean over the last axis."""
    count = means.shape[-1]
    return None if count < 2 else np.asarray(means.var(axis=-1, ddof=1) / count)


def _number(value: np.ndarray | None) -> float | None:
    return None if value is None else float(value)
