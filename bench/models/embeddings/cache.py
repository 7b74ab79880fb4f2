"""The cache: found embeddings are mapped, missing ones are computed in batches and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from bench.data.places import cache_folder
from bench.device import cpu_name
from bench.errors import RequestError
from bench.models.embeddings.embedded import EMBEDDING, Embedded
from bench.models.embeddings.entry import Entry
from bench.models.embeddings.inputs import Inputs
from bench.models.embeddings.ledger import current_ledger
from bench.models.embeddings.recipe import Recipe
from bench.models.embeddings.storage import MAX_BYTES, FolderStorage, Storage, current_storage
from bench.train.halving import Halving

MOST = 1 << 10
"""Images that are ever encoded at once; a caller's batch is less."""

Encode = Callable[[Tensor], Tensor | Mapping[str, Tensor]]
"""Images (N, channels, size, size) -> (N, ...), one output or several by name."""


def open_cache(
    cache: Path | str | None, *, device: str, max_bytes: int = MAX_BYTES
) -> EmbeddingCache:
    """`embeddings/` of the cache folder; None: the user's own. Nothing is created yet. In a unit
    the harness keeps them."""
    folder = cache_folder(cache) / "embeddings"
    own = FolderStorage(folder, max_bytes, scope="unscored")
    return EmbeddingCache(own, device=device)


@dataclass
class EmbeddingCache:
    """own  where embeddings are kept outside a unit"""

    own: Storage
    device: str

    @property
    def storage(self) -> Storage:
        return current_storage() or self.own

    def embed(self, encode: Encode, inputs: Inputs, *, recipe: Recipe, batch: int = 8) -> Embedded:
        """Embeddings of all inputs. `encode` sees the missing ones alone, `batch` at a time."""
        shelf = recipe.key(self._device_name)
        index = {name: i for i, name in reversed(list(enumerate(inputs.hashes)))}
        entries = self.storage.find(shelf, list(index))
        computed: dict[str, float] = {}
        missing = [name for name in index if name not in entries]
        for start in range(0, len(missing), batch):
            part = missing[start : start + batch]
            # Another process may have computed it while we were at the others.
            entries.update(self.storage.find(shelf, part) if start else {})
            todo = [name for name in part if name not in entries]
            if not todo:
                continue
            images = [index[name] for name in todo]
            made = dict(zip(todo, self._compute(encode, inputs, images, recipe), strict=True))
            computed |= {name: entry.seconds for name, entry in made.items()}
            entries |= self.storage.keep(shelf, made)
        account = current_ledger().enter(
            found={f"{shelf}/{n}": e.seconds for n, e in entries.items() if n not in computed},
            computed={f"{shelf}/{name}": cost for name, cost in computed.items()},
        )
        return Embedded(tuple(entries[name] for name in inputs.hashes), account)

    def _compute(
        self, encode: Encode, inputs: Inputs, images: Sequence[int], recipe: Recipe
    ) -> list[Entry]:
        """One batch through the encoder; its seconds in equal parts."""
        self._synchronise()
        began = time.perf_counter()

        def encoded(part: slice) -> dict[str, Tensor]:
            output = encode(inputs.load(images[part]))
            named = {EMBEDDING: output} if isinstance(output, Tensor) else dict(output)
            return {name: _stored(name, values, recipe) for name, values in named.items()}

        with torch.inference_mode():
            parts = [*self._halving.parts(encoded, len(images))]
        stored = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        self._synchronise()
        seconds = (time.perf_counter() - began) / len(images)
        for name, values in stored.items():
            if len(values) != len(images):
                raise RequestError(
                    f"embeddings: the encoder gave {len(values)} of {name} for {len(images)} images"
                )
        return [
            Entry({name: values[i].numpy() for name, values in stored.items()}, seconds)
            for i in range(len(images))
        ]

    @cached_property
    def _halving(self) -> Halving:
        return Halving(MOST, self.device)

    @cached_property
    def _device_name(self) -> str:
        if self.device.startswith("cuda"):
            return torch.cuda.get_device_name(self.device)
        return f"{cpu_name()}, {torch.get_num_threads()} threads"

    def _synchronise(self) -> None:
        if self.device.startswith("cuda"):
            torch.cuda.synchronize(self.device)


def _stored(name: str, values: Tensor, recipe: Recipe) -> Tensor:
    """On the CPU as the recipe keeps it. An embedding that is not finite would poison every unit
    that finds it, so it is not kept."""
    kept = values.to(getattr(torch, recipe.stored)).cpu().contiguous()
    if not torch.isfinite(kept).all():
        beyond = bool(torch.isfinite(values).all())
        problem = (
            f"goes beyond {recipe.stored}; keep it with stored='float32'"
            if beyond
            else "is not finite; look at the checkpoint and the precision"
        )
        raise RequestError(f"embeddings: the encoder's {name} {problem}")
    return kept
