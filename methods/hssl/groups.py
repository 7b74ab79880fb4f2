"""Which datasets are alike: a table of modality and body region, or the images themselves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import torch
from scipy.cluster.vq import ClusterError, kmeans2
from scipy.spatial.distance import cdist
from torch import Tensor

from bench.errors import RequestError, unknown

TABLE = {
    "acdc": "cardiac MR",
    "la2018": "cardiac MR",
    "msd_braintumour": "brain MR",
    "msd_colon": "abdominal CT",
    "msd_heart": "cardiac MR",
    "msd_hepaticvessel": "abdominal CT",
    "msd_hippocampus": "brain MR",
    "msd_liver": "abdominal CT",
    "msd_lung": "chest CT",
    "msd_pancreas": "abdominal CT",
    "msd_prostate": "prostate MR",
    "msd_spleen": "abdominal CT",
    "promise12": "prostate MR",
    "synapse": "abdominal CT",
}
"""A group for each modality and body region; a dataset that is not listed is alone in its own."""


def table_groups(names: Sequence[str], regroup: str = "none") -> Tensor:
    """(M,) the group of each dataset, from 0.

    regroup: "promise12:pelvis+acdc:heart" instead of the table's, or "none"
    """
    own = dict(_pair(word) for word in ([] if regroup == "none" else regroup.split("+")))
    for name in own:
        if name not in names:
            raise unknown("dataset of the pool in method.regroup", name, names)
    found = [own.get(name) or TABLE.get(name) or f"{name} alone" for name in names]
    return _numbered(found)


def _pair(word: str) -> tuple[str, str]:
    name, _, group = word.partition(":")
    if not name or not group:
        raise RequestError(
            f"method.regroup: {word!r} is not dataset:group; join several with +, or give none"
        )
    return name, group


def auto_groups(means: np.ndarray) -> Tensor:
    """(M, C), the mean embedding of each dataset -> (M,): k-means, K by the silhouette.

    K is 2 to M - 1, since the silhouette knows no others. Fewer than three datasets are each alone.
    Each choice of K datasets is tried as the start, so that chance decides nothing.
    """
    points = np.asarray(means, np.float64)
    best = (-np.inf, np.arange(len(points)))
    for count in range(2, len(points)):
        labels = _kmeans(points, count)
        if len(set(labels)) == count:
            best = max(best, (silhouette(points, labels), labels), key=lambda pair: pair[0])
    return _numbered([str(label) for label in best[1]])


def _kmeans(points: np.ndarray, count: int) -> np.ndarray:
    """(M,) labels of the partition with the smallest squared distances to its means."""
    best = (np.inf, np.zeros(len(points), int))
    for start in combinations(range(len(points)), count):
        try:
            centres, labels = kmeans2(points, points[list(start)], minit="matrix", missing="raise")
        except ClusterError:  # from this start a cluster ends up empty
            continue
        spread = float(np.square(points - centres[labels]).sum())
        if spread < best[0] - 1e-12:
            best = (spread, labels)
    return best[1]


def silhouette(points: np.ndarray, labels: np.ndarray) -> float:
    """Mean over points of (b - a) / max(a, b): a is the mean distance to the others of its own
    cluster, b that to the nearest other cluster. Who is alone counts 0."""
    apart = cdist(points, points)
    found = []
    for i, own in enumerate(labels):
        mates = (labels == own) & (np.arange(len(labels)) != i)
        if not mates.any():
            found.append(0.0)
            continue
        a = apart[i, mates].mean()
        b = min(apart[i, labels == other].mean() for other in set(labels) - {own})
        found.append(float((b - a) / max(a, b)) if max(a, b) > 0 else 0.0)
    return float(np.mean(found))


def _numbered(labels: Sequence[str]) -> Tensor:
    """In the order of their first appearance."""
    order = list(dict.fromkeys(labels))
    return torch.tensor([order.index(label) for label in labels])
