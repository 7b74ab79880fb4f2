"""Cells of one column against each other: the same patients and draws, so differences are paired.

The difference of two rows is the difference of their means, taken apart by draw and patient. Its
interval is the two-level one of `interval.py`; Wilcoxon's test sees the patients' differences,
averaged over draws.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import nctdtrinc, stdtr, stdtrit

from bench.board.interval import across_seeds, contributions, two_level
from bench.board.signedrank import rank_sides, signed_rank
from bench.board.units import Unit

POWER = 0.8
ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class Scores:
    """One cell's scores, ready to be compared.

    patients  sorted; `means` (draws,) and `parts` (draws, patients) as `contributions` gives them
    scored    (patients,): with at least one class to score
    """

    patients: tuple[str, ...]
    means: np.ndarray
    parts: np.ndarray
    scored: np.ndarray

    @property
    def usable(self) -> np.ndarray:
        """(draws,): those in which something could be scored."""
        return ~np.isnan(self.means)

    @property
    def mean(self) -> float:
        return float(self.means[self.usable].mean())


@dataclass(frozen=True)
class Comparison:
    """First row less second row, in shares of 1.

    low, high  None with one draw and one patient
    p          of Wilcoxon's test over patients, one pair alone
    side       1 where its ranks are for the first row, -1 for the second, 0 for neither
    error      standard error of the effect; `freedom` its degrees of freedom
    by_draw, by_patient   the two parts of its square, None where there is one draw, one patient
    """

    effect: float
    low: float | None
    high: float | None
    p: float
    side: int
    error: float
    freedom: float
    by_draw: float | None
    by_patient: float | None
    draws: int
    patients: int

    @property
    def surely_not_zero(self) -> bool:
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def one_sided(self) -> bool:
        """False where a few rescued patients carry a mean that all others' ranks contradict."""
        return self.side * self.effect > 0

    @property
    def p_draws(self) -> float:
        """Of the two-level t test, which knows of draws as well; 1 without an interval."""
        if self.low is None:
            return 1.0
        if self.error == 0:
            return 1.0 if self.effect == 0 else 0.0
        return float(2 * stdtr(self.freedom, -abs(self.effect) / self.error))

    def detectable(self, alpha: float = ALPHA) -> float | None:
        """The smallest difference that the t test finds in 8 of 10 cases. None without a test, and
        where nothing varies."""
        if self.low is None or self.error == 0:
            return None
        return float(detectable_errors(np.array(self.freedom), alpha)) * self.error


def detectable_errors(freedom: np.ndarray, alpha: float) -> np.ndarray:
    """In standard errors: the non-centrality with which a t test passes its level in 8 of 10."""
    found: np.ndarray = nctdtrinc(freedom, 1 - POWER, stdtrit(freedom, 1 - alpha / 2))
    return found


def scores_of(
    units: Sequence[Unit], draws: Sequence[str], patients: tuple[str, ...], score: str
) -> Scores:
    """The units of one cell; seeds of a draw are averaged first."""
    by_draw: dict[str, list[np.ndarray]] = defaultdict(list)
    for unit in units:
        by_draw[unit.draw].append(aligned(unit.patients, getattr(unit, score), patients))
    stacked = np.stack([across_seeds(by_draw[draw]) for draw in draws])
    means, parts = contributions(stacked)
    return Scores(patients, means, parts, ~np.isnan(stacked).all(axis=(0, 2)))


def aligned(have: Sequence[str], scores: np.ndarray, patients: Sequence[str]) -> np.ndarray:
    """(patients, classes) with a row for each of `patients`, NaN for one that is not there."""
    if list(have) == list(patients):
        return scores
    row = {patient: index for index, patient in enumerate(have)}
    wide = np.full((len(patients), scores.shape[1]), np.nan)
    for index, patient in enumerate(patients):
        if patient in row:
            wide[index] = scores[row[patient]]
    return wide


def compare(first: Scores, second: Scores) -> Comparison | None:
    return compare_pairs([first, second], [(0, 1)])[0, 1]


def values_of(first: Scores, second: Scores) -> tuple[np.ndarray, np.ndarray] | None:
    """Both as (draws, patients) over what they have in common; None where that is nothing."""
    draws, patients = first.usable & second.usable, first.scored | second.scored
    if not draws.any() or not patients.any():
        return None
    return _values(first, draws, patients), _values(second, draws, patients)


def _values(row: Scores, draws: np.ndarray, patients: np.ndarray) -> np.ndarray:
    found: np.ndarray = row.means[draws][:, None] + patients.sum() * row.parts[draws][:, patients]
    return found


Pair = tuple[int, int]


def compare_pairs(
    rows: Sequence[Scores], pairs: Iterable[Pair]
) -> Mapping[Pair, Comparison | None]:
    """Pairs of places in `rows` -> first less second; None where nothing is scored by both.

    A patient takes part if either row has a score of it, a draw if both have. All pairs that share
    patients and draws are worked out together: that is what makes many of them quick.
    """
    alike: dict[tuple[bytes, bytes], list[Pair]] = defaultdict(list)
    for a, b in pairs:
        draws = rows[a].usable & rows[b].usable
        patients = rows[a].scored | rows[b].scored
        alike[draws.tobytes(), patients.tobytes()].append((a, b))
    found: dict[Pair, Comparison | None] = {}
    for (draw_bytes, patient_bytes), group in alike.items():
        draws, patients = (np.frombuffer(raw, bool) for raw in (draw_bytes, patient_bytes))
        if draws.any() and patients.any():
            found.update(zip(group, _together(rows, group, draws, patients), strict=True))
        else:
            found.update(dict.fromkeys(group))
    return found


def _together(
    rows: Sequence[Scores], pairs: Sequence[Pair], draws: np.ndarray, patients: np.ndarray
) -> list[Comparison]:
    used = {place for pair in pairs for place in pair}
    values = {place: _values(rows[place], draws, patients) for place in used}
    differences = np.stack([values[a] - values[b] for a, b in pairs])
    found = two_level(differences)
    reach = found.reach()
    of_patients = differences.mean(axis=1)
    p, sides = signed_rank(of_patients), rank_sides(of_patients)
    return [
        Comparison(
            effect=float(found.mean[i]),
            low=float(found.mean[i] - reach[i]) if found.known else None,
            high=float(found.mean[i] + reach[i]) if found.known else None,
            p=float(p[i]),
            side=int(sides[i]),
            error=float(found.variance[i]) ** 0.5,
            freedom=float(found.freedom[i]),
            by_draw=None if found.draw_variance is None else float(found.draw_variance[i]),
            by_patient=None if found.patient_variance is None else float(found.patient_variance[i]),
            draws=int(draws.sum()),
            patients=int(patients.sum()),
        )
        for i in range(len(pairs))
    ]
