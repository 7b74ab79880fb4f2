"""Splits and draws: patient-level, nested, committed with a hash. Rules: `docs/splits.md`."""

from bench.data.splits.book import Draw, Split, SplitBook
from bench.data.splits.files import book_names, load_book, open_book, save_book
from bench.data.splits.resolve import Drawn, Labelled, resolve
from bench.data.splits.rule import draw_book, numbered_draws, order_patients, pick_test
from bench.data.splits.shots import Shots, parse_shots

__all__ = [
    "Draw",
    "Drawn",
    "Labelled",
    "Shots",
    "Split",
    "SplitBook",
    "book_names",
    "draw_book",
    "load_book",
    "numbered_draws",
    "open_book",
    "order_patients",
    "parse_shots",
    "pick_test",
    "resolve",
    "save_book",
]
