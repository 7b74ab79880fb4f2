"""What is known of a checkpoint: `cards/<family>/<name>.yaml`, read without importing torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bench.fetch import RemoteFile

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(gt=0)]
Ratio = Annotated[float, Field(gt=0)]
Triple = tuple[float, float, float]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Normalisation(_Frozen):
    """Grey values x in [0, 1] -> (scale * x - mean) / std, as the network was trained on them."""

    scale: Annotated[float, Field(gt=0)]
    mean: Triple
    std: Triple


class SamArchitecture(_Frozen):
    """`segment_anything`'s classes. `global_blocks` see the whole image, the others a window."""

    width: Count
    depth: Count
    heads: Count
    global_blocks: tuple[int, ...]
    patch: Count = 16
    window: Count = 14
    mlp_ratio: Ratio = 4
    embedding: Count = 256
    decoder_mlp: Count = 2048
    iou_hidden: Count = 256


class Sam2Architecture(_Frozen):
    """A configuration of the `sam2` package, and the keys of its `model` that differ from it."""

    config: Text
    changes: dict[str, Any] = {}


class Dinov2Architecture(_Frozen):
    """timm's VisionTransformer; the file has the key layout of DINOv2."""

    layout: Literal["dinov2"]
    width: Count
    depth: Count
    heads: Count
    patch: Count
    mlp_ratio: Ratio = 4
    layer_scale: bool = True


class Dinov3Architecture(_Frozen):
    """A network that timm knows by name; the file has the key layout of DINOv3."""

    layout: Literal["dinov3"]
    timm: Text


class CheckpointCard(_Frozen):
    """One file of weights. It comes from one of four places:

    url      a download, with its sha256 (md5 where no sha256 is published)
    shipped  the package itself
    manual   the user's own hands; the text says how to get it
    untrained  nowhere: the architecture as its package starts it, written on first use. A method on
             it is a control

    file        its name in the weights folder
    nesting     key of the file under which the state dict lies; "" where the file is one
    input_size  side of the square input, in pixels, that the file's position tables are made for
    medical     True: trained on medical images; its results on published sets are not ranked
    """

    family: str
    name: str
    title: Text
    file: Text
    url: str | None = None
    bytes: Count | None = None
    sha256: str | None = None
    md5: str | None = None
    shipped: bool = False
    manual: str = ""
    untrained: bool = False
    licence: Text
    trained_on: Text
    medical: bool = False
    input_size: Count
    normalisation: Normalisation
    nesting: str = ""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum((self.url is not None, self.shipped, bool(self.manual), self.untrained)) != 1:
            raise ValueError("a card has one of url, shipped, manual and untrained")
        if self.url is not None and self.sha256 is None and self.md5 is None:
            raise ValueError("a download needs its sha256 (or md5)")
        if self.url is None and (self.bytes, self.sha256, self.md5) != (None, None, None):
            raise ValueError("bytes, sha256 and md5 belong to a download")
        return self

    @property
    def ours(self) -> bool:
        """Not a published one: small, and used to its own normalisation."""
        return self.shipped or self.untrained

    @property
    def remote(self) -> RemoteFile | None:
        """The download, where the file is one."""
        if self.url is None:
            return None
        return RemoteFile(
            self.url, bytes=self.bytes, sha256=self.sha256, md5=self.md5, name=self.file
        )


class SamCard(CheckpointCard):
    architecture: SamArchitecture


class Sam2Card(CheckpointCard):
    architecture: Sam2Architecture


class DinoCard(CheckpointCard):
    architecture: Annotated[Dinov2Architecture | Dinov3Architecture, Field(discriminator="layout")]


CARD_CLASSES: dict[str, type[CheckpointCard]] = {
    "sam": SamCard,
    "sam2": Sam2Card,
    "dino": DinoCard,
}
"""Family -> how its cards are typed, in the order in which families are shown."""
