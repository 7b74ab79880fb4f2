"""What SAMora needs of the networks that it can be put on: SAM and SAM 2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from bench.models.hooks import Site
from bench.models.sam import build_sam
from bench.models.sam.encoder import encode, sites
from bench.models.sam2 import build_sam2
from bench.models.sam2.build import STRIDE
from bench.models.sam2.encode import encode as encode2
from bench.models.sam2.encode import sites as sites2


@dataclass(frozen=True)
class Family:
    """name       of its checkpoints in the request
    build      (card, image_size=, device=, cache=) -> the whole network, frozen
    encoder    what of it `encode` takes
    encode     (encoder, normalised images, precision=, hooks=) -> what its decoder takes
    sites      the encoder's attentions
    embedding  of what `encode` gives, the map that stage 1 looks at: (B, C, S / patch, S / patch)
    width      C
    patch      pixels a side of a cell of that map
    values     what the option `values` is when it is auto
    fusions    that are defined for it
    """

    name: str
    build: Callable[..., Any]
    encoder: Callable[[Any], nn.Module]
    encode: Callable[..., Any]
    sites: Callable[[Any], Sequence[Site]]
    embedding: Callable[[Any], Tensor]
    width: Callable[[Any], int]
    patch: Callable[[Any], int]
    values: str
    fusions: frozenset[str]


SAM = Family(
    name="sam",
    build=build_sam,
    encoder=lambda sam: sam.image_encoder,
    encode=encode,
    sites=sites,
    embedding=lambda embedding: embedding,
    width=lambda encoder: encoder.neck[0].out_channels,
    patch=lambda encoder: encoder.patch_embed.proj.kernel_size[0],
    values="auto",
    fusions=frozenset({"stable", "released", "sum"}),
)
SAM2 = Family(
    name="sam2",
    build=build_sam2,
    encoder=lambda sam2: sam2,
    encode=encode2,
    sites=sites2,
    embedding=lambda features: features.s16,
    width=lambda sam2: sam2.hidden_dim,
    patch=lambda sam2: STRIDE,
    # No published adaptation of SAM 2 is known to us that feeds it anything else.
    values="checkpoint",
    # The released code's fusion sees padded windows before the attention; Hiera pools in between.
    fusions=frozenset({"stable", "sum"}),
)
