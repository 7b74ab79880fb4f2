"""SAM as built here against `segment_anything` itself, on full-size random checkpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from segment_anything import sam_model_registry
from segment_anything.modeling import Sam
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.checkpoints import SamCard, card_of
from bench.models.sam import build_sam, make_sam
from bench.models.sam.resize import resize_tables

SMALL = 64


def randomise(module: nn.Module) -> None:
    """SAM starts its position tables at zero, where no difference would show."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if not tensor.any():
                tensor.normal_(std=0.05, generator=generator)


def numbers(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def package() -> Sam:
    """The package's own ViT-B, 1024 pixels."""
    torch.manual_seed(1)
    sam = sam_model_registry["vit_b"]()
    randomise(sam)
    return sam


@pytest.fixture(scope="module")
def cache(package: Sam, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache that holds the package's weights as the published file does: flat, `.pth`."""
    folder = tmp_path_factory.mktemp("sam")
    path = folder / "weights" / "sam_vit_b_01ec64.pth"
    path.parent.mkdir()
    torch.save(package.state_dict(), path)
    yield folder
    path.unlink()  # 375 MB


@pytest.fixture(scope="module")
def card(cache: Path) -> SamCard:
    """The published card, but for size and hash of the random file."""
    file = cache / "weights" / "sam_vit_b_01ec64.pth"
    with file.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    size = {"sha256": sha256, "bytes": file.stat().st_size}
    return card_of("sam", "vit_b").model_copy(update=size)


@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h", "medsam"])
def test_names_and_shapes_are_those_of_the_packages_builder(name: str) -> None:
    with torch.device("meta"):
        ours = make_sam(card_of("sam", name)).state_dict()
        theirs = sam_model_registry["vit_b" if name == "medsam" else name]().state_dict()
    assert {key: value.shape for key, value in ours.items()} == {
        key: value.shape for key, value in theirs.items()
    }


def test_a_full_checkpoint_loads_whole_and_frozen(card: SamCard, cache: Path, package: Sam) -> None:
    state = torch.get_rng_state()
    sam = build_sam(card, cache=cache)
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module.training for module in sam.modules())
    assert not any(parameter.requires_grad for parameter in sam.parameters())
    expected = package.state_dict()
    assert sam.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[key]) for key, value in sam.state_dict().items())
    assert torch.equal(sam.pixel_mean, package.pixel_mean)
    assert torch.equal(sam.pixel_std, package.pixel_std)
    assert sam.image_encoder.img_size == 1024
    assert sam.prompt_encoder.image_embedding_size == (64, 64)


def shrink(sam: Sam, size: int) -> Sam:
    """The package's model for a smaller input: its own relative tables it resizes by itself."""
    grid = size // 16
    table = sam.image_encoder.pos_embed.permute(0, 3, 1, 2)
    smaller = F.interpolate(table, (grid, grid), mode="bilinear", align_corners=False)
    sam.image_encoder.pos_embed = nn.Parameter(smaller.permute(0, 2, 3, 1))
    sam.image_encoder.img_size = size
    sam.prompt_encoder.input_image_size = (size, size)
    sam.prompt_encoder.image_embedding_size = (grid, grid)
    return sam


def test_at_another_size_it_gives_what_the_package_gives(card: SamCard, cache: Path) -> None:
    theirs = shrink(sam_model_registry["vit_b"](checkpoint=cache / "weights" / card.file), SMALL)
    ours = build_sam(card, image_size=SMALL, cache=cache)
    generator = torch.Generator().manual_seed(2)
    request = {
        "image": torch.randint(0, 256, (3, SMALL, SMALL), generator=generator).float(),
        "original_size": (SMALL, SMALL),
        "point_coords": torch.tensor([[[20.0, 30.0], [50.0, 9.0]]]),
        "point_labels": torch.tensor([[1, 0]]),
        "boxes": torch.tensor([[5.0, 6.0, 40.0, 50.0]]),
    }
    expected = theirs([request], multimask_output=True)[0]
    found = ours([request], multimask_output=True)[0]
    scale = expected["low_res_logits"].abs().max()
    assert found["low_res_logits"].shape == (1, 3, SMALL // 4, SMALL // 4)
    torch.testing.assert_close(
        found["low_res_logits"] / scale, expected["low_res_logits"] / scale, rtol=0, atol=2e-6
    )
    torch.testing.assert_close(found["iou_predictions"], expected["iou_predictions"])


def test_parameter_counts_are_those_of_the_specification() -> None:
    with torch.device("meta"):
        at_224 = make_sam(card_of("sam", "vit_b"), image_size=224)
        at_512 = make_sam(card_of("sam", "vit_b"), image_size=512)
    assert numbers(at_224.mask_decoder) == 4_058_340
    assert numbers(at_224.prompt_encoder) == 6_220
    assert numbers(at_224.image_encoder) == 86_624_512
    assert numbers(at_512.image_encoder) == 87_278_848


def test_resizing_touches_global_tables_and_positions_alone(package: Sam) -> None:
    weights = package.state_dict()
    resized = resize_tables(weights, native_grid=64, grid=14, global_blocks=(2, 5, 8, 11))
    changed = {key for key, value in resized.items() if value.shape != weights[key].shape}
    assert changed == {
        "image_encoder.pos_embed",
        *(f"image_encoder.blocks.{b}.attn.rel_pos_{a}" for b in (2, 5, 8, 11) for a in "hw"),
    }
    assert all(resized[key] is weights[key] for key in weights.keys() - changed)
    assert resized["image_encoder.pos_embed"].shape == (1, 14, 14, 768)
    assert resized["image_encoder.blocks.5.attn.rel_pos_w"].shape == (27, 64)
    assert weights["image_encoder.blocks.4.attn.rel_pos_w"].shape == (27, 64)  # a window of 14


def by_hand(row: Tensor, length: int) -> list[float]:
    """Linear interpolation between the centres of cells, from its definition."""
    found = []
    for place in range(length):
        x = max((place + 0.5) * len(row) / length - 0.5, 0)
        low = min(int(x), len(row) - 1)
        high = min(low + 1, len(row) - 1)
        found.append(float(row[low] + (x - low) * (row[high] - row[low])))
    return found


@pytest.mark.parametrize("grid", [3, 6])
def test_resized_values_are_those_of_linear_interpolation(grid: int) -> None:
    generator = torch.Generator().manual_seed(4)
    table = torch.randn(7, 2, generator=generator)  # a grid of 4
    cells = torch.randn(1, 4, 4, 3, generator=generator)
    weights = {
        "image_encoder.pos_embed": cells,
        "image_encoder.blocks.1.attn.rel_pos_h": table,
        "image_encoder.blocks.0.attn.rel_pos_h": table,
    }
    resized = resize_tables(weights, native_grid=4, grid=grid, global_blocks=(1,))
    found = resized["image_encoder.blocks.1.attn.rel_pos_h"]
    for column in range(2):
        expected = torch.tensor(by_hand(table[:, column], 2 * grid - 1))
        torch.testing.assert_close(found[:, column], expected)
    assert resized["image_encoder.blocks.0.attn.rel_pos_h"] is table
    rows = torch.tensor([by_hand(cells[0, r, :, 1], grid) for r in range(4)])
    both = torch.tensor([by_hand(rows[:, c], grid) for c in range(grid)]).T
    torch.testing.assert_close(resized["image_encoder.pos_embed"][0, :, :, 1], both)


def test_nothing_is_resized_at_the_native_size() -> None:
    weights = {"image_encoder.pos_embed": torch.randn(1, 4, 4, 3)}
    assert resize_tables(weights, native_grid=4, grid=4, global_blocks=(1,)) == weights


@pytest.fixture
def nano(tmp_path: Path) -> tuple[SamCard, Path, dict[str, Tensor]]:
    """A small card whose file is the user's own, the folder of the cache, and good weights."""
    update = {"shipped": False, "manual": "draw it", "file": "small.pth"}
    card = card_of("sam", "nano").model_copy(update=update)
    (tmp_path / "weights").mkdir()
    torch.manual_seed(5)
    sam = make_sam(card)
    randomise(sam)
    return card, tmp_path / "weights" / card.file, dict(sam.state_dict())


def test_a_small_sam_has_windows_and_global_blocks_and_loads(
    nano: tuple[SamCard, Path, dict[str, Tensor]],
) -> None:
    card, path, weights = nano
    torch.save({key: value.half() for key, value in weights.items()}, path)
    sam = build_sam(card, cache=path.parent.parent)
    assert [block.window_size for block in sam.image_encoder.blocks] == [8, 0, 8, 0, 8, 0]
    image = torch.rand(2, 3, 128, 128)
    found = sam.image_encoder(sam.preprocess(image * 255))
    assert found.shape == (2, 128, 16, 16)
    assert found.dtype == torch.float32
    reference = make_sam(card).eval()
    reference.load_state_dict({key: value.half().float() for key, value in weights.items()})
    assert torch.equal(found, reference.image_encoder(reference.preprocess(image * 255)))


@pytest.mark.parametrize("image_size", [None, 256])
def test_a_file_of_another_architecture_is_refused_with_its_differences(
    nano: tuple[SamCard, Path, dict[str, Tensor]], image_size: int | None
) -> None:
    card, path, weights = nano
    del weights["mask_decoder.iou_token.weight"]
    weights["image_encoder.head.weight"] = torch.zeros(2)
    weights["image_encoder.pos_embed"] = torch.zeros(1, 8, 8, 192)
    weights["image_encoder.blocks.3.attn.rel_pos_h"] = torch.zeros(15, 32)
    torch.save(weights, path)
    with pytest.raises(RequestError) as caught:
        build_sam(card, image_size=image_size, cache=path.parent.parent)
    message = str(caught.value)
    assert message.startswith(f"{path} does not fit the architecture on its card: ")
    assert "1 missing: mask_decoder.iou_token.weight; " in message
    assert "1 unexpected: image_encoder.head.weight; " in message
    assert "2 of another shape: image_encoder.pos_embed is 1x8x8x192, expected 1x" in message
    assert "image_encoder.blocks.3.attn.rel_pos_h is 15x32, expected " in message


@pytest.mark.parametrize("size", [0, -16, 100])
def test_an_image_size_that_is_no_multiple_of_the_patch_is_refused(size: int) -> None:
    with pytest.raises(RequestError) as caught:
        make_sam(card_of("sam", "vit_b"), image_size=size)
    assert str(caught.value) == (
        f"sam vit_b: an image size of {size} is no multiple of its patch, 16 pixels"
    )
