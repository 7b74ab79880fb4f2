"""Where a method may act inside an image encoder, of SAM or of SAM 2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor


class Site(Protocol):
    """A block's attention. (B, h, w, C) goes in, (B, h', w', C') comes out: the same of both, but
    for the first block of a stage in SAM 2.

    block  its number, from 0                     side   of its windows in what comes out, 0: none
    width  C', the channels that come out         heads  of its attention
    """

    @property
    def block(self) -> int: ...
    @property
    def side(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def heads(self) -> int: ...

    def attend(self, x: Tensor) -> Tensor:
        """The block's own attention."""

    def attend_each(self, x: Tensor, adapters: Sequence[str | None]) -> Tensor:
        """Its attention under each of these LoRA adapters alone; None: under none of them.

        (B, h, w, C) -> (adapters, B, h', w', C'). What they share is computed once.
        """

    def attend_beside(self, x: Tensor, adapters: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Its plain attention (B, h', w', C'), and that under each of these adapters alone,
        (adapters, B, h', w', C'), of which nothing is kept for a backward pass."""

    def windows(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What came out -> its windows (B * n, s, s, C') and where they are padding, (B * n, s, s).

        A block without windows is one window of the image's size.
        """

    def join(self, windows: Tensor, size: tuple[int, int]) -> Tensor:
        """What `windows` took apart: (B * n, s, s, C') -> (B, *size, C'), without the padding."""


@dataclass(frozen=True, eq=False)
class Hooks:
    """What a method does in every block.

    attend  in place of the block's attention: the site and the block's first norm (B, h, w, C) ->
            what is added to the block's shortcut, (B, h', w', C').
            `lambda site, x: site.attend(x)` changes nothing.
    after   takes each block's output (B, h', w', C'), gives what the next block and the neck get
    """

    attend: Callable[[Any, Tensor], Tensor] | None = None
    after: Callable[[int, Tensor], Tensor] | None = None
