"""Scores of one predicted volume: overlap counts, boundary distances, the empty-mask rule."""

from bench.score.case import CaseScore, score_case
from bench.score.empty import Empty, image_diagonal
from bench.score.overlap import Overlap, count_overlap

__all__ = [
    "CaseScore",
    "Empty",
    "Overlap",
    "count_overlap",
    "image_diagonal",
    "score_case",
]
