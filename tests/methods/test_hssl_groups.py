"""Which datasets HSSL takes for alike."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from bench.errors import RequestError
from bench.registry import discover
from methods.hssl.groups import TABLE, auto_groups, silhouette, table_groups


def test_the_table_knows_modality_and_region() -> None:
    names = ["acdc", "la2018", "promise12", "msd_hippocampus", "msd_heart"]
    assert table_groups(names).tolist() == [0, 0, 1, 2, 0]


def test_the_table_names_datasets_that_there_are() -> None:
    assert set(TABLE) <= set(discover().datasets)


def test_an_unknown_dataset_is_alone() -> None:
    assert table_groups(["acdc", "mine", "yours", "la2018"]).tolist() == [0, 1, 2, 0]


def test_a_user_may_group_otherwise() -> None:
    names = ["acdc", "la2018", "promise12"]
    assert table_groups(names, "acdc:one+promise12:one").tolist() == [0, 1, 0]
    assert table_groups(names, "promise12:cardiac MR").tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("regroup", "problem"),
    [
        ("acdc", "method.regroup: 'acdc' is not dataset:group; join several with +, or give none"),
        ("acdc:", "method.regroup: 'acdc:' is not dataset:group; join several with +, or "),
        ("acdc:a+", "method.regroup: '' is not dataset:group; join several with +, or give none"),
        ("acdd:a", "unknown dataset of the pool in method.regroup 'acdd'; did you mean acdc?"),
    ],
)
def test_a_wrong_regrouping_is_one_line(regroup: str, problem: str) -> None:
    with pytest.raises(RequestError) as caught:
        table_groups(["acdc", "promise12"], regroup)
    assert str(caught.value).startswith(problem)


def clouds(seed: int) -> np.ndarray:
    """Three clouds of two, three and one points."""
    random = np.random.default_rng(seed)
    centres = np.repeat([[0, 0, 5], [9, 0, 0], [0, 9, 0]], [2, 3, 1], axis=0)
    return centres + random.normal(0, 0.3, centres.shape)


@pytest.mark.parametrize("seed", range(3))
def test_clouds_are_found_as_a_second_library_finds_them(seed: int) -> None:
    points = clouds(seed)
    assert auto_groups(points).tolist() == [0, 0, 1, 1, 1, 2]
    scores = {
        count: silhouette_score(
            points, KMeans(count, n_init=20, random_state=0).fit(points).labels_
        )
        for count in range(2, 6)
    }
    assert max(scores, key=scores.__getitem__) == 3


@pytest.mark.parametrize("seed", range(4))
def test_the_silhouette_is_sklearns(seed: int) -> None:
    random = np.random.default_rng(seed)
    points, labels = random.normal(size=(9, 4)), np.array([0, 0, 1, 1, 1, 2, 2, 3, 1])
    assert silhouette(points, labels) == pytest.approx(silhouette_score(points, labels))


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_for_a_silhouette_are_each_alone(count: int) -> None:
    assert auto_groups(np.ones((count, 3))).tolist() == list(range(count))


def test_datasets_that_look_the_same() -> None:
    """k-means can't part them: nothing says that they are alike or not, and each is alone."""
    assert auto_groups(np.ones((4, 3))).tolist() == [0, 1, 2, 3]
