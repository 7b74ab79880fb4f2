"""Row names: as short as they can be while no two rows of a table share one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable

from bench.board.text import plain, short_hash, value_text
from bench.board.units import Variant


def row_labels(variants: Iterable[Variant]) -> dict[Variant, str]:
    """ "unet", "unet lr=0.0001"; where that is not enough, what else differs: weights, code."""
    ordered = sorted(variants, key=lambda v: (v.method, v.overrides, json.dumps(_parts(v))))
    labels = {variant: plain(" ".join((variant.method, *variant.overrides))) for variant in ordered}
    for detail in (_weights, _source, _options, _hash):
        common = Counter(labels.values())
        for name in [name for name, count in common.items() if count > 1]:
            alike = [variant for variant in ordered if labels[variant] == name]
            details = {variant: detail(variant, alike) for variant in alike}
            if len(set(details.values())) > 1:
                for variant in alike:
                    labels[variant] = plain(f"{name} {details[variant]}")
    return labels


Detail = Callable[[Variant, list[Variant]], str]


def _weights(variant: Variant, alike: list[Variant]) -> str:
    return " ".join(f"{family}={name}" for family, name in variant.checkpoints)


def _source(variant: Variant, alike: list[Variant]) -> str:
    return f"(source {variant.source_sha256[:7]})"


def _options(variant: Variant, alike: list[Variant]) -> str:
    """Options that differ among rows alike although nobody overrode them: a card's new default."""
    every = [json.loads(other.options) for other in alike]
    mine = json.loads(variant.options)
    names = sorted({name for options in every for name in options})
    differing = [n for n in names if len({json.dumps(options.get(n)) for options in every}) > 1]
    return " ".join(f"{name}={value_text(mine.get(name))}" for name in differing)


def _hash(variant: Variant, alike: list[Variant]) -> str:
    return f"({short_hash(json.dumps(_parts(variant)))})"


def _parts(variant: Variant) -> list[object]:
    return [variant.block, variant.options, variant.checkpoints, variant.source_sha256]
