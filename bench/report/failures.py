"""What failed, and why; and the methods' cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.board.tables import Table, every_unit
from bench.board.text import value_text
from bench.cards import Card, MethodCard
from bench.report.html import anchor, cell, details, paragraphs, table, text
from bench.report.tables import title_of


def failures(tables: Sequence[Table]) -> str:
    """Each failed or incomplete unit once, with its whole reason."""
    seen: dict[str, list[object]] = {}
    for board in tables:
        for unit in board.failed:
            label = board.labels[unit.variant]
            place = (title_of(board), unit.shots, unit.draw, unit.seed)
            seen.setdefault(unit.key, [label, *place, unit.problem or "", unit.key])
    if not seen:
        return "<p>None.</p>"
    header = ["method", "comparison", "shots", "draw", "seed", "reason", "record"]
    rows = [[cell(v, heading=i == 0) for i, v in enumerate(line)] for line in seen.values()]
    return table("Units that failed, or lack a score", header, rows)


def methods(tables: Sequence[Table], cards: Mapping[str, Card]) -> str:
    """A card for each method of the records; `cards`: of those that are installed."""
    names = {unit.variant.method: unit for unit in every_unit(tables)}
    parts = []
    for name in sorted(names):
        card = cards.get(name)
        if isinstance(card, MethodCard):
            parts.append(_card(name, card))
        else:
            said = f"{names[name].title} (block {names[name].variant.block})"
            parts.append(
                f'<article id="m-{anchor(name)}"><h3>{text(name)}</h3><p>{text(said)}. '
                "It is not installed here: no more is known of it.</p></article>"
            )
    return "".join(parts)


def _card(name: str, card: MethodCard) -> str:
    facts = [f"Block: {card.block}"]
    facts += [f"Paper: {card.paper}"] if card.paper else []
    facts += [f"Trains: {card.trains}"] if card.trains else []
    facts.append(f"Backbones: {', '.join(card.backbones) or 'none'}")
    if card.pretrain is not None:
        facts.append(f"Pre-trains with {100 * card.pretrain.share:.0f} % of the budget")
    facts.append(f"Uses unlabelled images: {'yes' if card.unlabelled_images else 'no'}")
    options = [
        [
            *(cell(option, heading=True), cell(value_text(one.default))),
            cell(", ".join(map(value_text, one.choices)) if one.choices else ""),
            cell(one.help),
        ]
        for option, one in card.options.items()
    ]
    inside = table(f"Options of {name}", ["option", "default", "choices", "what it does"], options)
    return (
        f'<article id="m-{anchor(name)}"><h3>{text(name)}: {text(card.title)}</h3>'
        f"<p>{text(card.summary)}</p>{paragraphs(facts)}"
        + (details(f"Options ({len(options)})", inside) if options else "")
        + "</article>"
    )
