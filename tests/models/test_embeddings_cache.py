"""Cold, warm, in any order, under other recipes: always the encoder's own numbers."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.contract import Volume
from bench.data.slices import Canvas, volume_slices
from bench.errors import RequestError
from bench.models.checkpoints import card_of
from bench.models.checkpoints.normalise import normalise
from bench.models.embeddings import (
    EmbeddingCache,
    Recipe,
    image_inputs,
    open_cache,
    recipe_for,
    volume_inputs,
)
from bench.models.embeddings.storage import FolderStorage
from bench.models.sam import make_sam
from tests.models.embedding_toys import RECIPE, Encoder, cache_in, encoded, files, pictures


def test_a_second_time_nothing_is_encoded(tmp_path: Path) -> None:
    encoder, images = Encoder(), pictures(5)
    cold = cache_in(tmp_path).embed(encoder, image_inputs(images), recipe=RECIPE, batch=2)
    warm = cache_in(tmp_path).embed(encoder, image_inputs(images), recipe=RECIPE, batch=2)
    assert encoder.seen == [2, 2, 1]
    for embedded in (cold, warm):
        assert torch.equal(embedded.take(), encoded(images).half())
        assert embedded.names == ("embedding",)
    assert len(files(tmp_path)) == 5


def test_only_the_missing_ones_are_encoded(tmp_path: Path) -> None:
    images = pictures(6)
    cache_in(tmp_path).embed(Encoder(), image_inputs(images[[1, 4]]), recipe=RECIPE)
    encoder = Encoder()
    mixed = cache_in(tmp_path).embed(encoder, image_inputs(images), recipe=RECIPE, batch=3)
    assert encoder.seen == [3, 1]
    assert torch.equal(mixed.take(), encoded(images).half())


def test_equal_images_are_encoded_once(tmp_path: Path) -> None:
    encoder, images = Encoder(), pictures(2)[[1, 0, 1, 1]]
    embedded = cache_in(tmp_path).embed(encoder, image_inputs(images), recipe=RECIPE)
    assert encoder.seen == [2]
    assert torch.equal(embedded.take(), encoded(images).half())


def test_some_of_them_in_an_order(tmp_path: Path) -> None:
    images = pictures(4)
    embedded = cache_in(tmp_path).embed(Encoder(), image_inputs(images), recipe=RECIPE)
    assert len(embedded) == 4
    for chosen in ([3, 0, 3], torch.tensor([3, 0, 3])):
        assert torch.equal(embedded.take(chosen), encoded(images[[3, 0, 3]]).half())


def test_what_is_taken_is_a_copy(tmp_path: Path) -> None:
    cache, inputs = cache_in(tmp_path), image_inputs(pictures(2))
    embedded = cache.embed(Encoder(), inputs, recipe=RECIPE)
    embedded.take().fill_(7.0)
    assert not (embedded.take() == 7.0).any()
    assert not (cache.embed(Encoder(), inputs, recipe=RECIPE).take() == 7.0).any()


def test_several_outputs_by_name(tmp_path: Path) -> None:
    def encode(images: Tensor) -> dict[str, Tensor]:
        return {"fine": images[:, 0], "whole": images.sum((1, 2, 3))}

    images = pictures(3)
    for _ in range(2):
        embedded = cache_in(tmp_path).embed(encode, image_inputs(images), recipe=RECIPE)
        assert embedded.names == ("fine", "whole")
        assert torch.equal(embedded.take(name="fine"), images[:, 0].half())
        assert torch.equal(embedded.take([2], name="whole"), images[2:].sum((1, 2, 3)).half())


@pytest.mark.parametrize(
    "change",
    [
        {"checkpoint": "abd"},
        {"size": 16},
        {"precision": "bf16"},
        {"preprocessing": "inverted"},
        {"augmentation": "views, seed 0, copy 1"},
        {"output": "tokens"},
        {"stored": "float32"},
    ],
)
def test_another_recipe_is_another_embedding(tmp_path: Path, change: dict[str, object]) -> None:
    other = replace(RECIPE, **change)  # type: ignore[arg-type]
    encoder, cache, inputs = Encoder(), cache_in(tmp_path), image_inputs(pictures(1))
    cache.embed(encoder, inputs, recipe=RECIPE)
    cache.embed(encoder, inputs, recipe=other)
    assert encoder.seen == [1, 1]
    assert RECIPE.key("cpu") != other.key("cpu")


def test_another_device_is_another_embedding() -> None:
    assert RECIPE.key("one GPU") != RECIPE.key("another GPU")
    assert RECIPE.key("one GPU") == replace(RECIPE).key("one GPU")


def test_another_image_type_or_shape_is_another_input() -> None:
    image = torch.ones(1, 1, 4, 4)
    changed = image.clone()
    changed[0, 0, 3, 3] += 1e-6
    inputs = [image, changed, image.reshape(1, 1, 2, 8), image.int()]
    assert len({image_inputs(given).hashes[0] for given in inputs}) == 4
    assert image_inputs(image.clone()).hashes == image_inputs(image).hashes


def grey(shape: tuple[int, int, int] = (4, 10, 7), seed: int = 0) -> Volume:
    image = np.random.default_rng(seed).uniform(0, 100, shape).astype(np.float16)
    return Volume("c", "p", image, (1.0, 1.0, 1.0))


def test_slices_of_a_volume_are_those_of_the_canvas() -> None:
    volume, canvas = grey(), Canvas(8)
    inputs = volume_inputs(volume, canvas, slices=[3, 1])
    assert len(inputs) == 2
    assert torch.equal(inputs.load([1, 0]), volume_slices(volume, canvas)[[1, 3]])
    assert torch.equal(volume_inputs(volume, canvas).load(range(4)), volume_slices(volume, canvas))


def test_known_slices_are_not_even_resized(tmp_path: Path) -> None:
    cache, volume = cache_in(tmp_path), grey()
    cold = cache.embed(Encoder(), volume_inputs(volume, Canvas(8)), recipe=RECIPE)
    known = volume_inputs(volume, Canvas(8), slices=[2, 0])

    def load(chosen: object) -> Tensor:
        raise AssertionError("a known slice was loaded")

    warm = cache.embed(Encoder(), replace(known, load=load), recipe=RECIPE)
    assert torch.equal(warm.take(), cold.take([2, 0]))


def test_a_slice_means_its_window_and_canvas_too() -> None:
    """The same slice in a volume of another brightness is another picture."""
    volume = grey()
    image = volume.image.copy()
    image[0] *= 2
    other = volume_inputs(replace(volume, image=image), Canvas(8))
    inputs = volume_inputs(volume, Canvas(8))
    assert not set(inputs.hashes) & set(other.hashes)
    assert not set(inputs.hashes) & set(volume_inputs(volume, Canvas(16)).hashes)
    again = replace(volume, case="another name", image=volume.image.copy())
    assert inputs.hashes == volume_inputs(again, Canvas(8)).hashes


def test_nothing_is_kept_that_is_no_number(tmp_path: Path) -> None:
    cache, inputs = cache_in(tmp_path), image_inputs(pictures(2))
    with pytest.raises(
        RequestError,
        match=r"^embeddings: the encoder's embedding is not finite; look at the checkpoint and the "
        r"precision$",
    ):
        cache.embed(lambda images: images / 0 * 0, inputs, recipe=RECIPE)
    assert files(tmp_path) == []


def test_numbers_beyond_float16_are_kept_in_float32(tmp_path: Path) -> None:
    cache, images = cache_in(tmp_path), pictures(2)
    with pytest.raises(
        RequestError,
        match=r"^embeddings: the encoder's embedding goes beyond float16; keep it with "
        r"stored='float32'$",
    ):
        cache.embed(lambda x: x * 1e6, image_inputs(images), recipe=RECIPE)
    wide = replace(RECIPE, stored="float32")
    for _ in range(2):
        embedded = cache.embed(lambda x: x * 1e6, image_inputs(images), recipe=wide)
        assert torch.equal(embedded.take(), images * 1e6)


def test_an_encoder_that_loses_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        RequestError, match=r"^embeddings: the encoder gave 1 of embedding for 3 images$"
    ):
        cache_in(tmp_path).embed(
            lambda x: x.sum(0, keepdim=True), image_inputs(pictures(3)), recipe=RECIPE
        )


def test_a_precision_that_is_none_is_refused() -> None:
    with pytest.raises(
        RequestError, match=r"^embeddings: precision 'half' is none of fp32, bf16, fp16$"
    ):
        Recipe(checkpoint="abc", size=8, precision="half")


def test_a_full_disk_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = []

    def full(path: Path, content: bytes) -> int:
        tried.append(path)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    encoder, images = Encoder(), pictures(3)
    embedded = cache_in(tmp_path).embed(encoder, image_inputs(images), recipe=RECIPE, batch=2)
    assert torch.equal(embedded.take(), encoded(images).half())
    assert caplog.messages == [
        f"cannot keep embeddings in {tmp_path / 'embeddings'} (No space left on device); they stay "
        "in memory and are computed again in the next run; make room, or choose another data.cache"
    ]
    assert (len(tried), files(tmp_path)) == (1, [])


def test_it_lies_in_the_cache_folder(tmp_path: Path) -> None:
    cache = open_cache(tmp_path, device="cpu", max_bytes=5)
    own = FolderStorage(tmp_path / "embeddings", 5, scope="unscored")
    assert cache == EmbeddingCache(own, device="cpu")
    assert not own.folder.exists()


def test_a_real_encoder(tmp_path: Path) -> None:
    """SAM's own, small: cold and warm are the encoder's output, rounded once."""
    card = card_of("sam", "nano")
    torch.manual_seed(0)
    encoder = make_sam(card, image_size=32).image_encoder.eval()
    recipe = Recipe(checkpoint="random", size=32, precision="fp32")
    inputs = volume_inputs(grey((3, 40, 30)), Canvas(32))

    def encode(images: Tensor) -> Tensor:
        output: Tensor = encoder(normalise(images.expand(-1, 3, -1, -1), card))
        return output

    cold = cache_in(tmp_path).embed(encode, inputs, recipe=recipe, batch=3).take()
    warm = cache_in(tmp_path).embed(encode, inputs, recipe=recipe).take()
    with torch.inference_mode():
        own = encode(inputs.load(range(3)))
    assert torch.equal(cold, own.half())
    assert torch.equal(warm, cold)
    assert cold.shape == (3, card.architecture.embedding, 4, 4)


def test_a_recipe_for_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its weights' hash and its normalisation are in it."""
    vit_b, medsam = card_of("sam", "vit_b"), card_of("sam", "medsam")
    recipe = recipe_for(vit_b, tmp_path, size=512, precision="fp32", augmentation="copy 3")
    assert recipe.checkpoint == vit_b.sha256
    assert (recipe.size, recipe.augmentation, recipe.stored) == (512, "copy 3", "float16")
    assert str(vit_b.normalisation.mean[0]) in recipe.preprocessing
    other = recipe_for(medsam, tmp_path, size=512, precision="fp32", augmentation="copy 3")
    assert other.checkpoint == f"md5:{medsam.md5}"
