"""Records -> tables, figures, leaderboard. Reads records alone and imports no torch."""

from bench.board.making import BoardSummary, build, check
from bench.board.rescoring import Difference, RescoreReport, rescore
from bench.board.screen import terminal

__all__ = [
    "BoardSummary",
    "Difference",
    "RescoreReport",
    "build",
    "check",
    "rescore",
    "terminal",
]
