"""SAM 2.1 as built here against the `sam2` package's own builder, and Hydra left alone."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.checkpoints import Sam2Card, card_of
from bench.models.checkpoints.card import Sam2Architecture
from bench.models.sam2 import build_sam2, make_sam2
from bench.models.sam2.package import sam2_package

SMALL = 64


def randomise(module: nn.Module) -> None:
    """No table at zero, no layer scale near it, and the object seen: every weight shows."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.abs().max() < 1e-3:
                tensor.normal_(std=0.2, generator=generator)
        module.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(10)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache with a full-size random SAM 2.1 tiny, nested under `model` as published."""
    folder = tmp_path_factory.mktemp("sam2")
    path = folder / "weights" / "sam2.1_hiera_tiny.pt"
    path.parent.mkdir()
    torch.manual_seed(1)
    model = packaged()
    randomise(model)
    torch.save({"model": model.state_dict()}, path)
    yield folder
    path.unlink()  # 156 MB


@pytest.fixture(scope="module")
def card(cache: Path) -> Sam2Card:
    """The published card, but for size and hash of the random file."""
    file = cache / "weights" / "sam2.1_hiera_tiny.pt"
    with file.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    size = {"sha256": sha256, "bytes": file.stat().st_size}
    return card_of("sam2", "hiera_tiny").model_copy(update=size)


def packaged(checkpoint: Path | None = None, *, size: int = 1024) -> Any:
    """The package's own way: Hydra set up for it, its builder, its loader."""
    sam2_package()
    from sam2.build_sam import build_sam2_video_predictor

    GlobalHydra.instance().clear()
    with initialize_config_module("sam2", version_base="1.2"):
        return build_sam2_video_predictor(
            "configs/sam2.1/sam2.1_hiera_t.yaml",
            None if checkpoint is None else str(checkpoint),
            device="cpu",
            apply_postprocessing=False,
            hydra_overrides_extra=[f"++model.image_size={size}"],
        )


@torch.inference_mode()
def remember_and_segment(model: Any, size: int, *, left: int = 0) -> dict[str, Tensor]:
    """Two support slices into the memory (one without the object), then a query without prompt."""
    generator = torch.Generator().manual_seed(3)
    images = torch.randn(3, 3, size, size, generator=generator)
    masks = torch.zeros(2, 1, 1, size, size)
    masks[0, :, :, size // 4 : size // 2, left : left + size // 3] = 1
    outputs: dict[str, dict[int, Any]] = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
    for index in range(3):
        features = model._prepare_backbone_features(model.forward_image(images[index : index + 1]))
        _, vision, positions, sizes = features
        last = index == 2
        out = model.track_step(
            frame_idx=index,
            is_init_cond_frame=not last,
            current_vision_feats=vision,
            current_vision_pos_embeds=positions,
            feat_sizes=sizes,
            point_inputs=None,
            mask_inputs=None if last else masks[index],
            output_dict=outputs,
            num_frames=3,
            run_mem_encoder=not last,
        )
        if not last:
            outputs["cond_frame_outputs"][index] = out
    first = outputs["cond_frame_outputs"][0]
    wanted = {key: out[key] for key in ("pred_masks_high_res", "object_score_logits", "obj_ptr")}
    return {**wanted, "memory": first["maskmem_features"].float(), "pointer": first["obj_ptr"]}


def test_a_full_checkpoint_loads_whole_and_frozen(card: Sam2Card, cache: Path) -> None:
    state = torch.get_rng_state()
    model = build_sam2(card, cache=cache)
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    expected = torch.load(cache / "weights" / card.file, weights_only=True)["model"]
    assert model.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[key]) for key, value in model.state_dict().items())


def test_it_gives_what_the_package_gives_at_another_size(card: Sam2Card, cache: Path) -> None:
    theirs = packaged(cache / "weights" / card.file, size=SMALL)
    ours = build_sam2(card, image_size=SMALL, cache=cache)
    assert type(ours) is type(theirs)
    expected = remember_and_segment(theirs, SMALL)
    found = remember_and_segment(ours, SMALL)
    assert found["pred_masks_high_res"].shape == (1, 1, SMALL, SMALL)
    assert found["memory"].shape == (1, 64, SMALL // 16, SMALL // 16)
    assert found["object_score_logits"] > 0
    assert found["pred_masks_high_res"].std() > 0
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def test_post_processing_is_off(card: Sam2Card) -> None:
    model = make_sam2(card, image_size=SMALL)
    assert model.fill_hole_area == 0
    assert not model.binarize_mask_from_pts_for_mem_enc
    assert not model.sam_mask_decoder.dynamic_multimask_via_stability


def test_a_small_sam2_remembers_and_segments(tmp_path: Path) -> None:
    update = {"shipped": False, "manual": "draw it", "file": "small.pth"}
    card = card_of("sam2", "nano").model_copy(update=update)
    torch.manual_seed(4)
    model = make_sam2(card)
    randomise(model)
    assert sum(parameter.numel() for parameter in model.parameters()) == 2_071_906
    (tmp_path / "weights").mkdir()
    torch.save(model.state_dict(), tmp_path / "weights" / "small.pth")
    loaded = build_sam2(card, cache=tmp_path)
    found = remember_and_segment(loaded, 256)
    assert found["pred_masks_high_res"].shape == (1, 1, 256, 256)
    assert found["memory"].shape == (1, 32, 16, 16)
    assert found["pointer"].shape == (1, 64)
    expected = remember_and_segment(model.eval(), 256)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert found["object_score_logits"] > 0
    assert found["pred_masks_high_res"].std() > 0
    # What is remembered decides: another mask on the support, another one on the query.
    moved = remember_and_segment(loaded, 256, left=128)
    assert not torch.allclose(moved["pred_masks_high_res"], found["pred_masks_high_res"])


def test_a_small_sam2_can_be_trained() -> None:
    model = make_sam2(card_of("sam2", "nano"), image_size=64)
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_file_of_another_architecture_is_refused_with_its_differences(
    card: Sam2Card, cache: Path, tmp_path: Path
) -> None:
    weights = torch.load(cache / "weights" / card.file, weights_only=True)["model"]
    del weights["no_mem_embed"]
    weights["extra"] = torch.zeros(1)
    weights["no_obj_ptr"] = torch.zeros(1, 3)
    (tmp_path / "weights").mkdir()
    own = {"url": None, "sha256": None, "bytes": None, "manual": "cut it", "file": "cut.pt"}
    torch.save({"model": weights}, tmp_path / "weights" / "cut.pt")
    with pytest.raises(RequestError) as caught:
        build_sam2(card.model_copy(update=own), image_size=64, cache=tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'weights' / 'cut.pt'} does not fit the architecture on its card: "
        "1 missing: no_mem_embed; 1 unexpected: extra; "
        "1 of another shape: no_obj_ptr is 1x3, expected 1x256"
    )


@pytest.mark.parametrize("size", [0, 48, 500])
def test_an_image_size_that_is_no_multiple_of_32_is_refused(size: int) -> None:
    with pytest.raises(RequestError) as caught:
        make_sam2(card_of("sam2", "nano"), image_size=size)
    assert str(caught.value) == f"sam2 nano: an image size of {size} is no multiple of 32"


def test_a_card_with_an_unknown_configuration_or_change_is_refused() -> None:
    card = card_of("sam2", "hiera_tiny")
    unknown = Sam2Architecture(config="sam2.1_hiera_x.yaml")
    with pytest.raises(RequestError, match=r"unknown configuration of sam2 'sam2.1_hiera_x.yaml'"):
        make_sam2(card.model_copy(update={"architecture": unknown}))
    change = Sam2Architecture(config="sam2.1_hiera_t.yaml", changes={"image_encodr": {"scalp": 1}})
    with pytest.raises(RequestError) as caught:
        make_sam2(card.model_copy(update={"architecture": change}))
    assert str(caught.value) == (
        "sam2 hiera_tiny: sam2 cannot be built from its card: "
        "SAM2Base.__init__() got an unexpected keyword argument 'image_encodr'"
    )
    change = Sam2Architecture(config="sam2.1_hiera_t.yaml", changes={"image_encoder": "${none}"})
    with pytest.raises(RequestError, match="sam2 hiera_tiny: sam2 cannot be built from its card"):
        make_sam2(card.model_copy(update={"architecture": change}))


HYDRA = """
import sys
from hydra.core.global_hydra import GlobalHydra
when = sys.argv[1]
if when == "plain":
    import sam2
    print(GlobalHydra.instance().is_initialized())
    raise SystemExit
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.version import getbase
from omegaconf import OmegaConf
from omegaconf.basecontainer import BaseContainer
from bench.models.checkpoints import card_of
from bench.models.sam2 import make_sam2
from bench.request.compose import CONF

def state():
    return GlobalHydra.instance().hydra, str(getbase()), sorted(BaseContainer._resolvers)

def composed():
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        return OmegaConf.to_container(compose("config", overrides=["backbone=tiny"]))

ConfigStore.instance().store(group="dataset", name="phantom", node={"patients": 3})

before = composed() if when == "between" else None
untouched = state()
if when == "inside":
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        make_sam2(card_of("sam2", "nano"), image_size=64)
        before = OmegaConf.to_container(compose("config", overrides=["backbone=tiny"]))
else:
    make_sam2(card_of("sam2", "nano"), image_size=64)
    assert state() == untouched, (state(), untouched)
assert GlobalHydra.instance().hydra is None
found = composed()
assert found["backbone"]["sam2"] == "hiera_tiny"
assert before == found
print("sam2" in sys.modules)
"""


@pytest.mark.parametrize("when", ["between", "inside", "plain"])
def test_hydra_is_as_it_was(when: str, project_root: Path) -> None:
    """`plain` is the import without our care: it does set Hydra up, so the others can fail."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HYDRA, when],
        capture_output=True,
        text=True,
        cwd=project_root,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "True"
