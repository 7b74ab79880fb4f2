"""Rates from laps with known lengths, quartiles against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from bench.record.schema import Spread
from bench.unit.drive import Lap
from bench.unit.throughput import measure_throughput, spread, training_rate


@pytest.mark.parametrize("count", [2, 3, 4, 5, 10, 101])
def test_quartiles_against_numpy(count: int) -> None:
    values = np.random.default_rng(count).gamma(2.0, size=count)
    found = spread(values.tolist())
    assert found is not None
    expected = np.percentile(values, [25, 50, 75])
    assert [found.q1, found.median, found.q3] == pytest.approx(expected.tolist())
    assert found.n == count


def test_one_value_is_its_own_quartiles() -> None:
    assert spread([3.0]) == Spread(median=3.0, q1=3.0, q3=3.0, n=1)


def test_nothing_has_no_spread() -> None:
    assert spread([]) is None


def test_the_first_tenth_only_warms_up() -> None:
    """Thirty laps: three slow ones are left out, 27 at 4 samples in half a second stay."""
    laps = [Lap(4, 100.0)] * 3 + [Lap(4, 0.5)] * 27
    assert training_rate(laps) == Spread(median=8.0, q1=8.0, q3=8.0, n=27)


def test_one_lap_at_least_warms_up() -> None:
    assert training_rate([Lap(4, 100.0), Lap(4, 0.5)]) == Spread(median=8.0, q1=8.0, q3=8.0, n=1)


def test_a_single_lap_is_better_than_none() -> None:
    assert training_rate([Lap(4, 0.5)]) == Spread(median=8.0, q1=8.0, q3=8.0, n=1)


def test_laps_that_saw_no_sample_are_no_rate() -> None:
    assert training_rate([]) is None
    assert training_rate([Lap(0, 1.0)] * 5) is None
    assert training_rate([Lap(4, 0.0)] * 5) is None
    mixed = training_rate([Lap(0, 9.0), Lap(4, 100.0), Lap(0, 9.0), Lap(4, 0.5), Lap(4, 1.0)])
    assert mixed == Spread(median=6.0, q1=5.0, q3=7.0, n=2)  # 8 and 4 samples a second


def test_volumes_and_slices() -> None:
    seconds, slices = [2.0, 4.0, 3.0, 6.0], [20, 20, 60, 30]
    found = measure_throughput(laps=[], cold=9.0, seconds=seconds, slices=slices)
    assert found.train_samples_per_second is None
    assert found.volumes_per_minute is not None
    assert found.volumes_per_minute.median == pytest.approx((20 + 15) / 2)  # 30 15 20 10
    assert found.slices_per_second is not None
    assert found.slices_per_second.median == pytest.approx(7.5)  # 10 5 20 5
    assert found.cold_seconds == 9.0
    assert found.warm_seconds == pytest.approx(3.5)


def test_nothing_predicted() -> None:
    found = measure_throughput(laps=[], cold=None, seconds=[], slices=[])
    assert (found.volumes_per_minute, found.slices_per_second) == (None, None)
    assert (found.cold_seconds, found.warm_seconds) == (None, None)


def test_each_volume_has_its_slices() -> None:
    with pytest.raises(ValueError, match="shorter"):
        measure_throughput(laps=[], cold=None, seconds=[1.0, 2.0], slices=[3])
