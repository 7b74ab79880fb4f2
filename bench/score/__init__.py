"""Scores of one predicted volume: overlap counts, boundary distances, the empty-mask rule."""

from bench.score.boundary import NSD_TOLERANCE_MM
from bench.score.case import CaseScore, score_case
from bench.score.empty import Empty, image_diagonal, legacy_scores, volume_mm3
from bench.score.labels import UNLABELLED
from bench.score.overlap import Overlap, count_overlap

__all__ = [
    "NSD_TOLERANCE_MM",
    "UNLABELLED",
    "CaseScore",
    "Empty",
    "Overlap",
    "count_overlap",
    "image_diagonal",
    "legacy_scores",
    "score_case",
    "volume_mm3",
]
