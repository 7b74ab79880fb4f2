"""What a folder's card makes of it: one entry, several, or a problem with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.registry import discover, load
from tests.registry.entries import CARD, refused, write


def test_a_bad_card_stops_its_own_entry_alone(tmp_path: Path) -> None:
    bad = write(tmp_path / "bad", card=CARD + "sumary: twice\n")
    write(tmp_path / "good")
    registry = discover([tmp_path])
    assert load(registry.method("good")[0]).__name__ == "Mine"
    assert "bad" not in registry.available("method")
    assert refused(registry.method, "bad") == (
        f"method bad is not available: {bad / 'card.yaml'}: sumary: unknown key; "
        "did you mean summary?"
    )


def test_a_missing_card_is_a_problem_of_its_entry(tmp_path: Path) -> None:
    folder = write(tmp_path / "bare")
    (folder / "card.yaml").unlink()
    assert discover([tmp_path]).methods["bare"].problem == (
        f"{folder / 'card.yaml'}: there is no card here; every entry needs one"
    )


def test_a_missing_extra_says_how_to_mend_it(tmp_path: Path) -> None:
    write(tmp_path / "plain", card=CARD + "needs: [no_such_one, json, no_such.two]\n")
    write(
        tmp_path / "named",
        card=CARD + "needs: [no_such_one]\ninstall: pip install 'no-such[extra]>=2'\n",
    )
    write(tmp_path / "there", card=CARD + "needs: [json, xml.dom]\n")
    registry = discover([tmp_path])
    assert refused(registry.method, "plain") == (
        "method plain is not available: needs no_such_one, no_such.two; "
        "pip install no_such_one no_such.two"
    )
    assert registry.methods["named"].problem == (
        "needs no_such_one; pip install 'no-such[extra]>=2'"
    )
    assert registry.methods["there"].problem is None
    assert {"plain", "named"}.isdisjoint(registry.available("method"))


def test_variants_are_entries_of_one_folder(tmp_path: Path) -> None:
    card = """
    title: Mine
    summary: Does it.
    entry: method:Mine
    options: {lr: 0.001, depth: 2}
    variants:
      small: {}
      big: {title: Mine, big, options: {depth: 4, wide: true}}
      2: {options: {lr: {default: 0.5, help: fast}}}
    """.replace("Mine, big", "'Mine, big'")
    folder = write(tmp_path / "mine", card=card)
    registry = discover([folder])
    assert "mine" not in registry.methods
    small, big, two = (registry.method(f"mine_{name}") for name in ("small", "big", "2"))
    assert small[1].defaults == {"lr": 0.001, "depth": 2}
    assert big[1].defaults == {"lr": 0.001, "depth": 4, "wide": True}
    assert two[1].defaults == {"lr": 0.5, "depth": 2}
    assert (small[1].title, big[1].title) == ("Mine", "Mine, big")
    assert (big[0].variant, big[0].folder) == ("big", folder)
    assert load(small[0]) is load(big[0])


@pytest.mark.parametrize(
    ("variants", "problem"),
    [
        ("[a, b]", "variants: a mapping of names to keys, or leave it out"),
        ("{}", "variants: a mapping of names to keys, or leave it out"),
        ("{big: 3}", "variants.big: a mapping of keys to values"),
        ("{big: {options: [1]}}", "options: Input should be a valid dictionary"),
        ("{big: {titel: x}}", "titel: unknown key; did you mean title"),
    ],
)
def test_wrong_variants_are_named(tmp_path: Path, variants: str, problem: str) -> None:
    folder = write(tmp_path / "mine", card=CARD + f"variants: {variants}\n")
    found = discover([folder]).methods["mine"]
    assert found.problem is not None
    assert found.problem.startswith(f"{folder / 'card.yaml'}: {problem}")
