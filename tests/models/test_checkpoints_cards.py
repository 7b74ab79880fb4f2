"""The cards: complete, typed, in line with the groups of `backbone`, and all that is needed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml
from segment_anything.modeling import Sam

from bench.errors import RequestError
from bench.models.checkpoints import (
    CheckpointCard,
    card_of,
    checkpoint_cards,
    checkpoint_names,
    checkpoint_rows,
)
from bench.models.checkpoints import shelf as shelf_module
from bench.models.checkpoints.normalise import normalise
from bench.models.dino import make_dino
from bench.models.sam import make_sam
from bench.models.sam2 import make_sam2

CARDS = [card for cards in checkpoint_cards().values() for card in cards.values()]
MAKERS = {"sam": make_sam, "sam2": make_sam2, "dino": make_dino}


def label(card: CheckpointCard) -> str:
    return f"{card.family}-{card.name}"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all cards that a test may change."""
    copy = tmp_path / "cards"
    shutil.copytree(shelf_module.CARDS, copy)
    monkeypatch.setattr(shelf_module, "CARDS", copy)
    return copy


def refusal(file: Path, text: str) -> str:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError) as caught:
        card_of(file.parent.name, file.stem)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_backbone_group_names_cards(project_root: Path) -> None:
    for file in sorted((project_root / "bench/conf/backbone").glob("*.yaml")):
        group = yaml.safe_load(file.read_text(encoding="utf-8"))
        for family in ("sam", "sam2", "dino"):
            assert card_of(family, group[family]).name == group[family]


def test_nano_of_every_family_is_shipped_and_the_rest_is_pinned_or_by_hand() -> None:
    assert [card.family for card in CARDS if card.shipped] == ["sam", "sam2", "dino"]
    assert {card.name for card in CARDS if card.shipped} == {"nano"}
    assert [card.name for card in CARDS if card.manual] == ["vitb16_dinov3", "vits16_dinov3"]
    assert [card.name for card in CARDS if card.url and not card.sha256] == ["medsam"]


def test_no_two_cards_share_a_file() -> None:
    files = [card.file for card in CARDS]
    assert len(set(files)) == len(files)


def test_only_medsam_is_medical() -> None:
    assert [label(card) for card in CARDS if card.medical] == ["sam-medsam"]
    assert "medical" in card_of("sam", "medsam").trained_on


@pytest.mark.parametrize("card", [card for card in CARDS if card.bytes], ids=label)
def test_the_published_size_is_that_of_the_architecture(
    card: CheckpointCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4 bytes a number, and the little that PyTorch adds a tensor: two sources agree."""
    # Hiera reads the values of one linspace; everything else goes without memory.
    monkeypatch.setattr(torch, "linspace", partial(torch.linspace, device="cpu"))
    with torch.device("meta"):
        tensors = MAKERS[card.family](card).state_dict().values()
    least = 4 * sum(tensor.numel() for tensor in tensors)
    assert least < card.bytes < least + 700 * len(tensors)


def test_an_unknown_name_brings_the_nearest() -> None:
    with pytest.raises(RequestError, match=r"unknown sam checkpoint 'vit_x'; did you mean vit_"):
        card_of("sam", "vit_x")
    with pytest.raises(RequestError, match=r"unknown family of checkpoints 'sma'; did you mean"):
        checkpoint_names("sma")


def test_a_card_is_all_that_a_new_checkpoint_takes(shelf: Path) -> None:
    text = (shelf / "sam" / "nano.yaml").read_text(encoding="utf-8")
    smaller = text.replace("width: 192", "width: 96").replace("sam.safetensors", "mine.safetensors")
    (shelf / "sam" / "mine.yaml").write_text(smaller, encoding="utf-8")
    card = card_of("sam", "mine")
    assert "mine" in checkpoint_cards()["sam"]
    assert ("sam", "mine") in {(row["family"], row["name"]) for row in checkpoint_rows()}
    sam = make_sam(card)
    assert isinstance(sam, Sam)
    assert sam.image_encoder.pos_embed.shape == (1, 16, 16, 96)


def test_a_broken_card_names_file_and_key_and_stands_in_no_other_way(shelf: Path) -> None:
    file = shelf / "sam" / "vit_b.yaml"
    good = file.read_text(encoding="utf-8")
    assert f"{file}: lisence: unknown key; did you mean licence?" == refusal(
        file, good + "lisence: MIT\n"
    )
    assert f"{file}: licence: this key is missing" == refusal(
        file, good.replace("licence: Apache-2.0\n", "")
    )
    assert "architecture.width: Input should be greater than 0" in refusal(
        file, good.replace("width: 768", "width: 0")
    )
    assert "has one of url, shipped, manual and untrained" in refusal(
        file, good + "shipped: true\n"
    )
    no_hash = "\n".join(line for line in good.splitlines() if not line.startswith("sha256"))
    assert "a download needs its sha256 (or md5)" in refusal(file, no_hash)
    assert "name: the path of the card says it" in refusal(file, good + "name: vit_c\n")
    assert "a card is a mapping" in refusal(file, "- a\n")
    assert card_of("sam", "vit_l").file == "sam_vit_l_0b3195.pth"


def test_a_card_may_be_like_another(shelf: Path) -> None:
    file = shelf / "sam" / "nano_untrained.yaml"
    card, nano = card_of("sam", "nano_untrained"), card_of("sam", "nano")
    assert card.architecture == nano.architecture
    assert (card.input_size, card.normalisation) == (nano.input_size, nano.normalisation)
    good = file.read_text(encoding="utf-8")
    file.write_text(good + "input_size: 64\n", encoding="utf-8")
    assert card_of("sam", "nano_untrained").input_size == 64  # its own word counts
    assert "like: unknown checkpoint 'nanno'; did you mean nano?" in refusal(
        file, good.replace("like: nano", "like: nanno")
    )


def test_hashes_belong_to_downloads(shelf: Path) -> None:
    file = shelf / "dino" / "nano.yaml"
    good = file.read_text(encoding="utf-8")
    assert "bytes, sha256 and md5 belong to a download" in refusal(file, good + "bytes: 3\n")


@pytest.mark.parametrize("card", CARDS, ids=label)
def test_normalise_is_what_the_package_does_or_the_identity(card: CheckpointCard) -> None:
    grey = torch.linspace(0, 1, 3 * 4 * 5).view(3, 4, 5)
    found = normalise(grey, card)
    if card.name == "medsam":
        assert torch.equal(found, grey)
    elif card.family == "sam":
        mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
        for channel in range(3):
            expected = (grey[channel] * 255 - mean[channel]) / std[channel]
            torch.testing.assert_close(found[channel], expected, rtol=1e-5, atol=1e-6)
    else:
        from torchvision.transforms.functional import normalize

        expected = normalize(grey, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_reading_cards_loads_no_torch() -> None:
    code = (
        "import sys; from bench.models.checkpoints import checkpoint_rows; checkpoint_rows(); "
        "print([name for name in ('torch', 'timm', 'hydra', 'requests') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_table_of_the_documentation_is_that_of_the_cards(
    project_root: Path, tmp_path: Path
) -> None:
    columns = ("family", "name", "title", "size", "input", "licence", "trained on")
    expected = [
        f"| {' | '.join(columns)} |",
        "|" + " --- |" * len(columns),
        *(f"| {' | '.join(row[c] for c in columns)} |" for row in checkpoint_rows(tmp_path)),
    ]
    text = (project_root / "docs/backbones.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("|")] == expected


def test_the_example_of_the_documentation_is_a_card(project_root: Path, shelf: Path) -> None:
    text = (project_root / "docs/backbones.md").read_text(encoding="utf-8")
    lines = text.partition("    title:")[2].partition("\n\n")[0].splitlines()
    example = "\n".join(["title:" + lines[0], *(line[4:] for line in lines[1:])])
    (shelf / "sam" / "heart.yaml").write_text(
        example.replace("sha256: ...", "sha256: " + "a" * 64), encoding="utf-8"
    )
    card = card_of("sam", "heart")
    assert card.medical
    assert make_sam(card, image_size=64).image_encoder.img_size == 64
