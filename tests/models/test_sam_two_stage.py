"""H-SAM's decoder: numbers, the pass written out, what learns and what does not, refusals."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from segment_anything.modeling import Sam
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.checkpoints import card_of
from bench.models.sam import make_sam
from bench.models.sam.two_stage import Stages, TwoStageDecoder, averaged

CLASSES = 2


@pytest.fixture(scope="module")
def sam() -> Sam:
    torch.manual_seed(0)
    return make_sam(card_of("sam", "nano"), image_size=64).eval().requires_grad_(False)


def decoder(sam: Sam, **changes: object) -> TwoStageDecoder:
    torch.manual_seed(1)
    return TwoStageDecoder(sam, classes=CLASSES, **changes)  # type: ignore[arg-type]


def embeddings(count: int = 2) -> Tensor:
    return torch.randn(count, 128, 8, 8, generator=torch.Generator().manual_seed(2))


def numbers(module: nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


@pytest.mark.parametrize(
    ("size", "released", "millions"), [(224, 7_567_727, 98.96), (512, 19_051_259, 111.10)]
)
def test_numbers_of_parameters_are_those_of_the_released_code(
    size: int, released: int, millions: float
) -> None:
    """But for what the code makes and never calls, or never hears of: three norms of 196, 9 and
    1024 in each of four attentions, and a head for IoUs without a loss."""
    with torch.device("meta"):
        sam = make_sam(card_of("sam", "vit_b"), image_size=size)
        two = TwoStageDecoder(sam, classes=8)
    norms = 4 * 2 * (196 + 9 + 1024)
    iou_head = 2 * (256 * 256 + 256) + (256 * 9 + 9)
    assert numbers(two.second) + norms + iou_head == released
    assert numbers(two.first.mask_decoder) == 4_759_945
    prompts = 8_012  # of the prompt encoder that is published with it
    whole = numbers(sam.image_encoder) + 4_759_945 + released + prompts
    assert round(whole / 1e6, 2) == millions


@pytest.mark.parametrize(("name", "size", "finest"), [("vit_b", 512, 512), ("nano", 128, 256)])
def test_shapes(name: str, size: int, finest: int) -> None:
    """Sixteen times the embedding's grid, whatever the patch."""
    with torch.device("meta"):
        card = card_of("sam", name)
        two = TwoStageDecoder(make_sam(card, image_size=size), classes=8)
        grid = size // card.architecture.patch
        stages = two.eval()(torch.zeros(3, card.architecture.embedding, grid, grid))
    assert stages.first.shape == (3, 9, 4 * grid, 4 * grid)
    assert stages.second.shape == (3, 9, finest, finest)
    assert averaged(stages).shape == (3, 9, finest, finest)


def attention(module: nn.Module, q: Tensor, k: Tensor, v: Tensor, weight: Tensor | None) -> Tensor:
    """(T, C) queries on (N, C): one head after the other."""
    heads = module.num_heads
    q, k, v = (F.linear(x, m.weight, m.bias) for x, m in
               ((q, module.q_proj), (k, module.k_proj), (v, module.v_proj)))  # fmt: skip
    out = []
    for a, b, c in zip(q.chunk(heads, 1), k.chunk(heads, 1), v.chunk(heads, 1), strict=True):
        share = (a @ b.T / a.shape[1] ** 0.5).softmax(1)
        out.append((share if weight is None else share * weight) @ c)
    return F.linear(torch.cat(out, 1), module.out_proj.weight, module.out_proj.bias)


def block(
    layer: nn.Module, tokens: Tensor, image: Tensor, learned: Tensor, place: Tensor,
    masks: Tensor | None, first: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """One image's block as H-SAM orders it."""
    seen = attention(layer.cross_attn_token_to_image, tokens + learned, image + place, image, masks)
    tokens = layer.norm2(tokens + seen)
    if first:
        tokens = attention(layer.self_attn, tokens, tokens, tokens, None)
    else:
        q = tokens + learned
        tokens = tokens + attention(layer.self_attn, q, q, tokens, None)
    tokens = layer.norm1(tokens)
    mlp = layer.mlp
    tokens = layer.norm3(tokens + mlp.lin2(mlp.lin1(tokens).relu()))
    back = None if masks is None else masks.T
    seen = attention(layer.cross_attn_image_to_token, image + place, tokens + learned, tokens, back)
    return tokens, layer.norm4(image + seen)


def through(transformer: nn.Module, image: Tensor, learned: Tensor, place: Tensor,
            masks: Tensor | None) -> tuple[Tensor, Tensor]:  # fmt: skip
    """(N, C) image and (T, C) tokens through both blocks and the last look."""
    tokens = learned
    for number, layer in enumerate(transformer.layers):
        tokens, image = block(layer, tokens, image, learned, place, masks, number == 0)
    final = transformer.final_attn_token_to_image
    seen = attention(final, tokens + learned, image + place, image, None)
    return transformer.norm_final_attn(tokens + seen), image


def written_out(two: TwoStageDecoder, embedding: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """The logits of one image (C, h, w), from the description of H-SAM, without its batch."""
    one, second = two.first.mask_decoder, two.second
    channels, h, w = embedding.shape
    place = two.first.positions[0].flatten(1).T
    flat = embedding.flatten(1).T
    prompted = flat + two.first.no_mask_embed.weight
    learned = torch.cat([one.iou_token.weight, one.mask_tokens.weight])
    tokens, image = through(one.transformer, prompted, learned, place, None)
    tokens = tokens[1:]
    upscaled = one.output_upscaling(image.T.reshape(1, channels, h, w))[0]
    logits1 = torch.stack(
        [(mlp(t)[:, None, None] * upscaled).sum(0)
         for mlp, t in zip(one.output_hypernetworks_mlps, tokens, strict=True)]
    )  # fmt: skip

    small = F.interpolate(logits1[None], size=(h, w), mode="bilinear", align_corners=False)[0]
    masks = small.softmax(0).flatten(1)
    rows = tokens @ image.T
    cm = second.class_attention
    x = cm.norm1(attention(cm.self_attn, rows, rows, rows, None))
    x = attention(cm.self_attn2, x, x, x, None)
    x = cm.norm2(x + cm.mlp.lin2(cm.mlp.lin1(x).relu()))
    line = (
        sum(weight * row for weight, row in zip(cm.compress.weight[0], x, strict=True))
        + cm.compress.bias
    )
    gate = torch.ones_like(line) if kind == "released" else 1 / (1 + (-line).exp())
    enhanced = prompted + prompted * gate[:, None]

    tokens, image = through(second.transformer, enhanced, second.mask_tokens.weight, place, masks)
    pixels = second.pixels
    own = pixels.output_upscaling(image.T.reshape(1, channels, h, w))
    fine = pixels.skip_connect(torch.cat([own, upscaled[None]], 1))[0]
    logits2 = torch.stack(
        [(mlp(t)[:, None, None] * fine).sum(0)
         for mlp, t in zip(pixels.output_hypernetworks_mlps, tokens, strict=True)]
    )  # fmt: skip
    return logits1, logits2


@pytest.mark.parametrize("kind", ["paper", "released"])
def test_each_image_of_a_batch_gets_what_the_description_gives_it_alone(
    sam: Sam, kind: str
) -> None:
    two = decoder(sam, cmattn=kind).eval()
    given = embeddings()
    with torch.no_grad():
        stages = two(given)
        for number, embedding in enumerate(given):
            first, second = written_out(two, embedding, kind)
            torch.testing.assert_close(stages.first[number], first, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(stages.second[number], second, rtol=1e-4, atol=1e-5)


def test_the_first_decoder_keeps_sams_weights_and_names(sam: Sam) -> None:
    two = decoder(sam)
    source = sam.mask_decoder.state_dict()
    new = ("mask_tokens", "output_hypernetworks_mlps", "iou_prediction_head")
    own = two.first.mask_decoder.state_dict()
    assert own.keys() == {
        name for name in source if not name.startswith("output_hypernetworks_mlps.3")
    }
    for name, value in own.items():
        if not name.startswith(new):
            assert torch.equal(value, source[name]), name


def test_the_released_attention_never_learns_and_the_papers_does(sam: Sam) -> None:
    for kind in ("released", "paper"):
        two = decoder(sam, cmattn=kind).train()
        stages = two(embeddings())
        (stages.first.square().mean() + stages.second.square().mean()).backward()
        attention = two.second.class_attention
        slopes = [value.grad for value in attention.parameters()]
        assert all(slope is not None for slope in slopes)
        if kind == "released":
            assert all((slope == 0).all() for slope in slopes)  # type: ignore[union-attr]
            assert (attention(torch.randn(2, CLASSES + 1, 64)) == 1).all()
        else:
            moved = {
                name for name, value in attention.named_parameters() if (value.grad != 0).any()
            }
            # A key's bias moves all scores of a query alike: its slope is zero, but for rounding.
            assert moved | {"self_attn.k_proj.bias", "self_attn2.k_proj.bias"} == {
                name for name, _ in attention.named_parameters()
            }


def test_the_second_stages_loss_reaches_the_first_stage(sam: Sam) -> None:
    """Through the masks: hypernetworks of the first stage act on nothing else."""
    two = decoder(sam).eval()
    two(embeddings()).second.square().mean().backward()
    for mlp in two.first.mask_decoder.output_hypernetworks_mlps:
        assert any((value.grad != 0).any() for value in mlp.parameters())
    assert (two.first.no_mask_embed.weight.grad != 0).all()  # type: ignore[union-attr]
    assert all(value.grad is None for value in sam.parameters())


def test_noise_is_for_training_alone(sam: Sam) -> None:
    given = embeddings()
    two = decoder(sam)
    with torch.no_grad():
        assert torch.equal(two.eval()(given).second, two(given).second)
        for module in two.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        one, other = two.train()(given), two(given)
        assert torch.equal(one.first, other.first)
        assert not torch.equal(one.second, other.second)
        two.noise = 0.0
        assert torch.equal(two(given).second, two(given).second)


def test_noise_is_a_fifth_of_the_embeddings_range(sam: Sam) -> None:
    two = decoder(sam).train()
    seen: list[Tensor] = []
    two.second.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    given = embeddings(8)
    with torch.no_grad():
        two(given)
        noise = seen[0] - given - two.first.no_mask_embed.weight[..., None, None]
    assert noise.std().item() == pytest.approx(0.2 * (given.max() - given.min()).item(), rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=0.05)


def test_two_stages_averaged() -> None:
    first = torch.tensor([[[[2.0]], [[0.0]]]])
    second = torch.tensor([[[[0.0, 1.0]], [[4.0, 0.0]]]])
    stages = Stages(first=first, second=second)
    assert averaged(stages)[0, :, 0].tolist() == [[1.0, 1.5], [2.0, 0.0]]
    assert averaged(stages, kind="second") is second
    shares = averaged(stages, kind="probabilities")[0, 0, 0]
    one, two, three = (torch.tensor(x).sigmoid() for x in (2.0, -4.0, 1.0))
    torch.testing.assert_close(shares, torch.stack([(one + two) / 2, (one + three) / 2]))


def test_wrong_requests_are_refused(sam: Sam) -> None:
    with pytest.raises(RequestError) as caught:
        decoder(sam, cmattn="published")
    assert str(caught.value) == "unknown kind of CMAttn 'published'; known: paper, released"
    with pytest.raises(RequestError) as caught:
        decoder(sam, noise=-1.0)
    assert str(caught.value) == "noise=-1.0: a share of the embedding's range, 0 or more"
