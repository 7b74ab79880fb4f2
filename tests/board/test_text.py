"""Other people's text is made harmless before it is shown."""

from __future__ import annotations

import pytest

from bench.board.order import draw_order, is_numbered, shots_order
from bench.board.text import (
    bytes_text,
    count_text,
    markdown,
    plain,
    points,
    shorten,
    shorten_middle,
    slug,
    value_text,
)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("two\nlines\t and  gaps", "two lines and gaps"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "0;titlex"),
        ("\x9b2Jclear", "clear"),
        ("bell\x07 null\x00", "bell null"),
        ("abc\u202edcba", "abcdcba"),
        ("naïve ≥ 名前", "naïve ≥ 名前"),
    ],
)
def test_plain(given: str, shown: str) -> None:
    assert plain(given) == shown


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a|b", "a\\|b"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("R&D", "R&amp;D"),
        ("[x](http://y)", "\\[x\\](http://y)"),
        ("control_empty", "control_empty"),
        ("_start and end_", "\\_start and end\\_"),
        ("**bold** `code` ~~cut~~ $x$", "\\*\\*bold\\*\\* \\`code\\` \\~\\~cut\\~\\~ \\$x\\$"),
        ("back\\slash\nline", "back\\\\slash line"),
    ],
)
def test_markdown(given: str, shown: str) -> None:
    assert markdown(given) == shown


def test_shorten_and_slug() -> None:
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde…"
    assert shorten_middle("abcdefghij", 10) == "abcdefghij"
    assert shorten_middle("abcdefghijk", 10) == "abcde…hijk"
    assert slug("La 2018, h5 crop / ../x") == "la-2018-h5-crop-x"
    assert slug("名前") == "unnamed"
    assert len(slug("x" * 100)) == 40


def test_values() -> None:
    given = [1e-4, 1e-5, True, None, "adam", [1, 0.5], {"b": 2, "a": 1}]
    assert [value_text(v) for v in given] == [
        *("0.0001", "1e-05", "true", "null", "adam", "[1, 0.5]", "{a: 1, b: 2}")
    ]


def test_numbers() -> None:
    assert points(0.71249) == "71.2"
    assert bytes_text(512 * 2**20) == "512 MiB"
    assert [count_text(v) for v in (2_060_000, 12_300, 7, None)] == ["2.06 M", "12.30 k", "7", "—"]


def test_order() -> None:
    shots = ["20s", "10", "all", "5", "50%", "1", "10%", "3s"]
    assert sorted(shots, key=shots_order) == ["1", "5", "10", "10%", "50%", "3s", "20s", "all"]
    assert sorted(["10", "paper", "2"], key=draw_order) == ["2", "10", "paper"]
    assert not is_numbered("2b")
