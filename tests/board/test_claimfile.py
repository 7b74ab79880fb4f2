"""Claims as data: what a wrong file says, and that the committed one is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.board.claimfile import parse_claims
from bench.cards import read_yaml
from bench.errors import RequestError
from bench.registry import discover

FILE = Path("claims.yaml")
CLAIM: dict[str, Any] = {
    "source": "A paper",
    "says": "alpha is better than beta",
    "reading": "by Dice",
    "first": {"method": "alpha", "options": {"base": "x"}},
    "against": [{"method": "beta"}],
    "measure": "dice",
    "effect": "difference",
    "above": 0,
    "backbone": "published",
}


def test_a_claim_is_read() -> None:
    claim = parse_claims(FILE, {"claims": {"one": CLAIM}}, {"alpha": ["base"]})["one"]
    assert claim.first.label == "alpha base=x"
    assert [place for place, _ in claim.arms] == ["first", "against.0"]
    assert (claim.labels, claim.shots) == (1.0, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mesure": "dice"}, "claims.one.mesure: unknown key; did you mean measure"),
        ({"source": ""}, "claims.one.source: String should have at least 1 character"),
        ({"against": []}, "claims.one.against: List should have at least 1 item"),
        ({"above": None}, "claims.one: give one of `above` and `below`"),
        ({"below": 1}, "claims.one: give one of `above` and `below`"),
        ({"effect": "ratio"}, "claims.one: a ratio's bound is more than 0"),
        ({"measure": "epochs"}, "claims.one: epochs are compared as a ratio, at equal labels"),
        ({"backbone": "nano"}, "claims.one.backbone: Input should be 'published' or 'none'"),
        ({"first": {"methd": "x"}}, "claims.one.first.method: this key is missing"),
        (
            {"first": {"method": "alpha", "options": {"bse": 1}}},
            "claims.one.first.options: alpha has no option 'bse'; did you mean base?",
        ),
        (
            {"against": [{"method": "alpha", "options": {"qqqq": 1}}]},
            "claims.one.against.0.options: alpha has no option 'qqqq'",
        ),
    ],
)
def test_a_wrong_claim_names_file_and_key(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_claims(FILE, {"claims": {"one": {**CLAIM, **change}}}, {"alpha": ["base"]})
    assert str(caught.value).startswith(f"claims.yaml: {message}")


def test_the_file_without_claims() -> None:
    with pytest.raises(RequestError, match=r"^claims\.yaml: claims: this key is missing$"):
        parse_claims(FILE, {}, {})


def test_the_committed_claims_fit_the_methods(project_root: Path) -> None:
    """Each seed's headline is there; options that a method has not would be an error."""
    file = project_root / "methods" / "claims.yaml"
    options = {
        name: list(found.card.options)
        for name, found in discover().methods.items()
        if found.card is not None
    }
    claims = parse_claims(file, read_yaml(file), options)
    assert {claim.first.method for claim in claims.values()} == {
        *("samora", "fewshot_decoder", "hssl", "retrieval"),
    }
    assert {claim.measure for claim in claims.values()} == {"dice", "iou", "epochs"}
    # What only an arm of another name could decide would be silently never run.
    named = {arm.method for claim in claims.values() for _, arm in claim.arms}
    assert named - set(options) <= {"hssl", "nnunet"}
