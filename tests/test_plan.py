"""What the plan says of a unit before it runs."""

from __future__ import annotations

import pytest

from bench.cards import DatasetCard, MethodCard
from bench.plan import block_of

NANO = {"dino": "nano"}
MEDSAM, UNTRAINED = {"sam": "medsam"}, {"sam": "nano_untrained"}


def method(block: str = "method") -> MethodCard:
    return MethodCard.model_validate(
        {
            "title": "Toy",
            "summary": "For tests.",
            "entry": "method:Toy",
            "block": block,
        }
    )


def dataset(homepage: str) -> DatasetCard:
    return DatasetCard.model_validate(
        {
            "title": "Toy data",
            "summary": "For tests.",
            "entry": "dataset:Toy",
            "modality": "MR",
            "classes": ["gland"],
            "licence": "CC0",
            "citation": "nobody",
            "official": "files",
            "layouts": {"files": ""},
            "homepage": homepage,
        }
    )


PUBLISHED, OWN = dataset("https://example.org/challenge"), dataset("")


@pytest.mark.parametrize(
    ("card", "data", "checkpoints", "block"),
    [
        (method(), PUBLISHED, MEDSAM, "seen"),
        (method(), PUBLISHED, NANO, "method"),
        (method(), OWN, MEDSAM, "method"),  # nobody else can have trained on it
        (method(), PUBLISHED, {}, "method"),
        (method(), PUBLISHED, {**NANO, **MEDSAM}, "seen"),  # one of several is enough
        (method(), PUBLISHED, UNTRAINED, "control"),  # says what the training is worth
        (method("oracle"), PUBLISHED, UNTRAINED, "oracle"),
        (method("control"), PUBLISHED, MEDSAM, "control"),
        (method("oracle"), PUBLISHED, MEDSAM, "oracle"),
    ],
)
def test_what_may_have_seen_the_test_patients_is_not_ranked(
    card: MethodCard, data: DatasetCard, checkpoints: dict[str, str], block: str
) -> None:
    assert block_of(card, data, checkpoints) == block
