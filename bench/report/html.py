"""HTML from other people's text: everything is escaped here, and nothing is put together elsewhere
without passing through."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.board.text import plain, slug


def text(value: object) -> str:
    """Harmless as text and as an attribute's value."""
    return html.escape(plain(str(value)), quote=True)


@dataclass(frozen=True)
class Cell:
    """html    already escaped; `value` what the column is sorted by, None last
    heading  of its row
    """

    html: str
    value: float | str | None = None
    heading: bool = False


def cell(value: object, *, heading: bool = False) -> Cell:
    shown = "" if value is None else str(value)
    known = value if isinstance(value, int | float) or value is None else shown
    return Cell(text(shown), known, heading)


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """The page's script makes it sortable and, where it is long, filterable."""
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in header)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(caption)}">'
        f"<table><caption>{text(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(one: Cell) -> str:
    name = "th" if one.heading else "td"
    scope = ' scope="row"' if one.heading else ""
    value = "" if one.value is None else text(one.value)
    return f'<{name}{scope} data-v="{value}">{one.html}</{name}>'


def details(summary: str, inside: str, *, opened: bool = False) -> str:
    return (
        f"<details{' open' if opened else ''}><summary>{text(summary)}</summary>{inside}</details>"
    )


def paragraphs(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{text(item)}</li>" for item in items) + "</ul>"


def anchor(*parts: str) -> str:
    return slug(" ".join(parts), limit=80)


def script_json(value: object) -> str:
    """For a script element of data: no text in it can end the element or begin a comment."""
    raw = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return raw.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
