"""Stage 1's three levels: sizes of the specification, alignment, targets, who learns what."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.models.checkpoints import card_of
from bench.models.experts import add_experts
from bench.models.sam import make_sam
from bench.models.sam.entry import sam_entry
from methods.samora.families import SAM
from methods.samora.image_level import ImageLevel, SimclrTeacher, contrastive
from methods.samora.mae import LARGE, TINY, MaskedAutoencoder, picked
from methods.samora.matching import distance, head
from methods.samora.patch_level import PatchLevel
from methods.samora.pixel_level import PixelLevel, grey_dice, restoration
from methods.samora.pretraining import LEVELS, lessons_of
from methods.samora.student import Student
from tests.methods.samora_tiny import samora, stage
from tests.methods.test_unet import squares

NAMES = ["image", "patch", "pixel"]


@pytest.fixture(scope="module")
def student() -> Student:
    """On sam:nano at 64 px: 8 x 8 tokens."""
    return samora().parts.student(size=64)


def vit_b() -> Student:
    card = card_of("sam", "vit_b")
    encoder = make_sam(card, image_size=224).image_encoder
    add_experts(encoder, NAMES)
    return Student(encoder, SAM, sam_entry(card, image_size=224), NAMES, precision="fp32")


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_vit_b_gets_the_specifications_teachers_and_heads() -> None:
    with torch.device("meta"):
        pupil = vit_b()
        image, patch = (LEVELS[name].teacher for name in NAMES[:2])
        assert image is not None
        assert patch is not None
        resnet, mae = image(pupil), patch(pupil)
        assert isinstance(resnet, SimclrTeacher)
        assert isinstance(mae, MaskedAutoencoder)
        # torchvision's ResNet-50 has 25,557,032 with its classifier of 1000 classes.
        assert count(resnet.body) == 25_557_032 - (2048 * 1000 + 1000)
        assert resnet.project[0].in_features == 2048
        assert resnet.size is None
        assert (len(mae.blocks), mae.norm.normalized_shape) == (24, (1024,))
        assert count(mae.blocks) == 24 * (12 * 1024**2 + 13 * 1024)
        assert len(mae.positions) == 196
        assert mae.draw(2).shape == (2, 49)
        assert count(ImageLevel(pupil, resnet)) == 1_054_976
        assert count(PatchLevel(pupil, mae)) == 2_103_552
        assert pupil.embeddings(torch.rand(1, 1, 224, 224)).shape == (1, 256, 14, 14)
        assert pupil.tokens(torch.rand(1, 1, 224, 224)).shape == (1, 196, 768)
        decoder = PixelLevel(pupil).decoder
        assert decoder(torch.rand(1, 256, 14, 14)).shape == (1, 1, 224, 224)


def test_the_small_backbone_gets_small_teachers(student: Student) -> None:
    image, patch = (LEVELS[name].teacher for name in NAMES[:2])
    assert image is not None
    assert patch is not None
    assert count(image(student)) < 6e6
    assert count(patch(student)) < 1e6
    assert len(patch(student).positions) == 8 * 8


def test_the_students_tokens_are_those_before_the_neck(student: Student) -> None:
    """In the order of the image's rows: the neck, on them, gives the embedding."""
    images = torch.rand(2, 1, 64, 64)
    student.learn("patch")
    with torch.no_grad():
        tokens = student.tokens(images)
        placed = tokens.unflatten(1, (8, 8)).permute(0, 3, 1, 2)
        torch.testing.assert_close(student.encoder.neck(placed), student.embeddings(images))


@pytest.mark.parametrize("level", NAMES)
def test_a_step_changes_the_active_expert_its_factors_and_its_head(level: str) -> None:
    """Section 12, check 5, first stage; the second step, since A has no slope while B is zero."""
    method = samora(experts="image+patch+pixel", teacher="frozen_random")
    student = method.parts.student(size=64)
    given = [make(student) for make in [LEVELS[level].teacher] if make is not None]
    network = LEVELS[level].expert(student, *given)
    learned = [*student.learn(level), *network.parameters()]
    optimiser = torch.optim.AdamW(learned, lr=0.01, weight_decay=0.1)
    parts: Mapping[str, nn.Module] = {
        "student": student,
        "head": network,
        "teacher": nn.ModuleList(given),
    }

    def values() -> dict[str, Tensor]:
        return {
            f"{part}.{name}": value.clone()
            for part, module in parts.items()
            for name, value in module.named_parameters()
        }

    before = values()
    for _ in range(2):
        optimiser.zero_grad()
        network.loss(*network.prepare(torch.rand(4, 1, 64, 64))).backward()
        optimiser.step()
    after = values()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    expected = {name for name in after if name.startswith("head.")}
    expected |= {name for name in after if ".lora_" in name and level in name.split(".")}
    assert moved == expected
    assert len([name for name in moved if "lora_scale" in name]) == 6


def test_contrast_is_the_specifications_sum() -> None:
    torch.manual_seed(0)
    z = torch.randn(8, 5)
    unit = F.normalize(z, dim=1)
    total = 0.0
    for i in range(8):
        j = (i + 4) % 8
        others = [k for k in range(8) if k != i]
        scores = torch.stack([(unit[i] @ unit[k] / 0.1).exp() for k in others])
        total += -((unit[i] @ unit[j] / 0.1).exp() / scores.sum()).log()
    torch.testing.assert_close(contrastive(z), total / 8)


def test_distance_is_that_of_unit_vectors() -> None:
    a, b = torch.randn(7, 256), 30 * torch.randn(7, 256)
    torch.testing.assert_close(distance(a, b), (2 - 2 * F.cosine_similarity(a, b)).mean() / 256)
    assert distance(a, 3 * a) < 1e-12
    assert head(24)(torch.randn(2, 3, 24)).shape == (2, 3, 256)


class SameStudent(nn.Module):
    """Tokens of a function of each patch alone."""

    patch, token_width = 8, 64

    def tokens(self, images: Tensor) -> Tensor:
        return F.unfold(images, 8, stride=8).transpose(1, 2)


class SameTeacher(MaskedAutoencoder):
    def encode(self, images: Tensor, kept: Tensor) -> Tensor:
        return picked(self.patches(images), kept)


@pytest.mark.parametrize("shuffled", [False, True])
def test_patches_are_aligned(shuffled: bool) -> None:
    """Section 12, check 7. With the released code's slip (the teacher's tokens in the order in
    which they were drawn, the student's in the image's) the same functions do not agree."""
    torch.manual_seed(0)
    teacher = SameTeacher(TINY, grid=8, patch=8)
    teacher.norm = nn.LayerNorm(64)
    level = PatchLevel(SameStudent(), teacher)  # type: ignore[arg-type]
    level._others = (level._others[0], teacher, nn.Identity())
    level.head = nn.Identity()
    if shuffled:
        teacher.draw = lambda count: torch.rand(count, 64).argsort(1)[:, :16]  # type: ignore[method-assign]
        plain = teacher.encode
        teacher.encode = lambda images, kept: plain(images, kept.sort(1).values)  # type: ignore[method-assign]
    loss = float(level.loss(torch.rand(3, 1, 64, 64)))
    assert loss > 1e-4 if shuffled else loss < 1e-12


def test_the_teacher_sees_the_patches_that_it_keeps() -> None:
    torch.manual_seed(0)
    mae = MaskedAutoencoder(TINY, grid=8, patch=8).eval()
    images = torch.rand(2, 1, 64, 64)
    kept = mae.draw(2)
    assert kept.shape == (2, 16)
    assert all(len(row.unique()) == 16 for row in kept)
    row, column = divmod(int(kept[1, 3]), 8)
    patch = images[1, 0, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
    assert torch.equal(picked(mae.patches(images), kept)[1, 3], patch.flatten())
    with torch.no_grad():
        before = mae.encode(images, kept)
        blind = images.clone()
        hidden = [place for place in range(64) if place not in kept[0].tolist()]
        for place in hidden:
            row, column = divmod(place, 8)
            blind[0, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 9.0
        assert torch.equal(mae.encode(blind, kept)[0], before[0])
        order = torch.randperm(16)
        torch.testing.assert_close(mae.encode(images, kept[:, order]), before[:, order])


def test_the_autoencoder_is_judged_on_masked_patches_by_their_own_contrast() -> None:
    """A decoder that says nothing but the mean is off by each patch's variance, which is 1."""
    torch.manual_seed(0)
    mae = MaskedAutoencoder(TINY, grid=8, patch=8)
    nn.init.zeros_(mae.decoder[-1].weight)
    nn.init.zeros_(mae.decoder[-1].bias)
    images = torch.rand(2, 1, 64, 64)
    assert mae.loss(images).item() == pytest.approx(63 / 64, rel=1e-3)  # the unbiased variance
    for factor in (0.1, 5.0):
        assert mae.loss(images * factor).item() == pytest.approx(63 / 64, rel=2e-2)


def test_the_autoencoder_learns() -> None:
    torch.manual_seed(0)
    mae = MaskedAutoencoder(TINY, grid=8, patch=8)
    ramp = torch.linspace(0, 1, 64)
    images = (ramp[:, None] * torch.rand(16, 1, 1, 1) + ramp * torch.rand(16, 1, 1, 1)) / 2
    optimiser = torch.optim.AdamW(mae.parameters(), lr=1e-3)
    losses = []
    for _ in range(60):
        loss = mae.loss(images)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    assert LARGE.depth == 24


def test_restoring_is_0_9_dice_and_0_1_squares() -> None:
    """Section 12, check 8: both images in [0, 1], so Dice is too; the squares vanish where the
    images are the same."""
    torch.manual_seed(0)
    clean, found = torch.rand(6, 1, 16, 16), torch.rand(6, 1, 16, 16)
    for a, b in ((found, clean), (clean, clean), (clean * 0, clean), (clean * 0, clean * 0)):
        assert (grey_dice(a, b) >= 0).all()
        assert (grey_dice(a, b) <= 1).all()
    for i in range(6):
        p, q = found[i].double(), clean[i].double()
        expected = 1 - (2 * (p * q).sum() + 1e-5) / (p.sum() + q.sum() + 1e-5)
        assert float(grey_dice(found, clean)[i]) == pytest.approx(float(expected), rel=1e-5)
    same = restoration(clean, clean)
    torch.testing.assert_close(same, 0.9 * grey_dice(clean, clean).mean())
    apart = restoration(found, clean)
    torch.testing.assert_close(
        apart, 0.9 * grey_dice(found, clean).mean() + 0.1 * (found - clean).square().mean()
    )
    white = (clean > 0.5).float()
    assert restoration(white, white) < 1e-6


def test_the_pixel_levels_target_is_the_slice_and_its_input_is_noisy(student: Student) -> None:
    seen: list[Tensor] = []

    class Listening(nn.Module):
        width, patch = student.width, student.patch

        def embeddings(self, images: Tensor) -> Tensor:
            seen.append(images)
            return student.embeddings(images)

    level = PixelLevel(Listening())  # type: ignore[arg-type]
    clean = torch.rand(4, 1, 64, 64)
    noisy, target = level.prepare(clean)
    assert target is clean
    loss = level.loss(noisy, target)
    assert seen == [noisy]
    assert float((noisy - clean).std()) > 0.05
    assert noisy.min() >= 0
    assert noisy.max() <= 1 + 1e-6
    found = level.decoder(student.embeddings(noisy))
    torch.testing.assert_close(loss, restoration(found, clean), rtol=1e-4, atol=1e-5)


def test_the_order_of_the_trainings() -> None:
    assert lessons_of(NAMES, "continued") == [
        ("image", "teacher"),
        ("image", "expert"),
        ("patch", "teacher"),
        ("patch", "expert"),
        ("pixel", "expert"),
    ]
    assert lessons_of(["pixel", "patch"], "frozen_random") == [
        ("pixel", "expert"),
        ("patch", "expert"),
    ]


def test_without_a_budget_every_training_has_its_epochs() -> None:
    method = samora(pretrain_epochs=2)
    reports = list(stage("pretrain", method, [squares(6, seed=5)], steps=None))
    # Six slices: teachers see all at once, experts a batch of four and leave two out.
    assert [(r.samples, r.epoch) for r in reports] == [(6, True)] * 2 + [(4, True)] * 2 + [
        (6, True)
    ] * 2 + [(4, True)] * 4


def test_under_a_budget_every_training_has_its_share() -> None:
    method = samora()
    reports = list(stage("pretrain", method, [squares(6, seed=5)], steps=20))
    assert [r.samples for r in reports] == [6] * 4 + [4] * 4 + [6] * 4 + [4] * 8
    state = method.state_dict()
    for level in NAMES:
        b = [value for name, value in state.items() if ".lora_B." in name and level in name]
        assert all(value.any() for value in b)


def test_random_teachers_are_not_trained() -> None:
    method = samora(teacher="frozen_random")
    reports = list(stage("pretrain", method, [squares(6, seed=5)], steps=6))
    assert [r.samples for r in reports] == [4] * 6


def test_stage_1_is_repeatable() -> None:
    def state(seed: int) -> Tensor:
        method = samora(seed)
        list(stage("pretrain", method, [squares(6, seed=5)], steps=5))
        return torch.cat([value.flatten() for value in method.state_dict().values()])

    assert torch.equal(state(0), state(0))
    assert not torch.equal(state(0), state(1))


def test_stage_1_in_half_precision() -> None:
    """As on a GPU: under autocast, with views that are drawn in full precision."""
    method = samora(precision="bf16")
    reports = list(stage("pretrain", method, [squares(6, seed=5)], steps=5))
    assert all(r.loss is not None and 0 < r.loss < 10 for r in reports)
    assert {value.dtype for value in method.state_dict().values()} == {torch.float32}
