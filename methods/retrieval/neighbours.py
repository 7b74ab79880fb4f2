"""Which labelled slices a slice is shown, for each class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch.nn.functional as F
from torch import Tensor

from bench.train.full_precision import in_float32

Numbers = tuple[int, ...]


@in_float32
def ranked(query: Tensor, pool: Tensor, allowed: Tensor) -> Tensor:
    """(D, A) numbers of the allowed slices, most similar first; of equals, the first in the pool.

    query (D, C), pool (N, C), allowed (N,) bool. Cosine: on unit vectors L2 gives the same order.
    """
    similar = F.normalize(query, dim=1) @ F.normalize(pool, dim=1).T
    order = similar[:, allowed].argsort(dim=1, descending=True, stable=True)
    return allowed.nonzero()[:, 0][order]


def chosen(
    ranking: Sequence[Sequence[int]],
    present: Tensor,
    *,
    k: int,
    keep_empty: bool = True,
    absent: str = "empty",
    order: str = "nearest_last",
) -> list[list[Numbers]]:
    """For each slice and class, the numbers in the order in which they are shown.

    ranking  a slice's neighbours, most similar first        present  (N, K) bool
    """
    shows = present.T.tolist()
    step = -1 if order == "nearest_last" else 1
    return [
        [
            tuple(_of_class(row, has, k, keep_empty=keep_empty, absent=absent))[::step]
            for has in shows
        ]
        for row in ranking
    ]


def _of_class(
    row: Sequence[int], has: Sequence[bool], k: int, *, keep_empty: bool, absent: str
) -> Iterator[int]:
    nearest, further = row[:k], row[k:]
    if any(has[number] for number in nearest):
        yield from (number for number in nearest if keep_empty or has[number])
        return
    if absent == "empty":
        return
    first = next((number for number in further if has[number]), None)
    if first is not None:
        yield from nearest if keep_empty else ()
        yield first
