"""The cache: found embeddings are mapped, missing ones are computed in batches and kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from bench.data.places import cache_folder
from bench.device import cpu_name
from bench.errors import RequestError
from bench.models.embeddings.embedded import EMBEDDING, Embedded
from bench.models.embeddings.entry import SUFFIX, DamagedError, Entry, read_entry, write_entry
from bench.models.embeddings.inputs import Inputs
from bench.models.embeddings.ledger import current_ledger
from bench.models.embeddings.recipe import Recipe
from bench.models.embeddings.room import Room, mark_used
from bench.train.halving import Halving

MAX_BYTES = 20 * 10**9
MOST = 1 << 10
"""Images that are ever encoded at once; a caller's batch is less."""

Encode = Callable[[Tensor], Tensor | Mapping[str, Tensor]]
"""Images (N, channels, size, size) -> (N, ...), one output or several by name."""

log = logging.getLogger(__name__)


def open_cache(
    cache: Path | str | None, *, device: str, max_bytes: int = MAX_BYTES
) -> EmbeddingCache:
    """`embeddings/` of the cache folder; None: the user's own. Nothing is created yet."""
    return EmbeddingCache(cache_folder(cache) / "embeddings", device=device, max_bytes=max_bytes)


@dataclass
class EmbeddingCache:
    folder: Path
    device: str
    max_bytes: int = MAX_BYTES
    _full: bool = field(default=False, repr=False)

    def embed(self, encode: Encode, inputs: Inputs, *, recipe: Recipe, batch: int = 8) -> Embedded:
        """Embeddings of all inputs. `encode` sees the missing ones alone, `batch` at a time."""
        shelf = self.folder / recipe.key(self._device_name)
        index = {name: i for i, name in reversed(list(enumerate(inputs.hashes)))}
        entries = {name: self._find(shelf / f"{name}{SUFFIX}") for name in index}
        computed: dict[str, float] = {}
        missing = [name for name, entry in entries.items() if entry is None]
        for start in range(0, len(missing), batch):
            todo = []
            for name in missing[start : start + batch]:
                # Another process may have computed it while we were at the others.
                entries[name] = self._find(shelf / f"{name}{SUFFIX}")
                if entries[name] is None:
                    todo.append(name)
            if not todo:
                continue
            images = [index[name] for name in todo]
            for name, entry in zip(
                todo, self._compute(encode, inputs, images, recipe), strict=True
            ):
                computed[name] = entry.seconds
                entries[name] = self._keep(shelf / f"{name}{SUFFIX}", entry)
        whole = {name: entry for name, entry in entries.items() if entry is not None}
        account = current_ledger().enter(
            found={f"{shelf.name}/{n}": e.seconds for n, e in whole.items() if n not in computed},
            computed={f"{shelf.name}/{name}": cost for name, cost in computed.items()},
        )
        return Embedded(tuple(whole[name] for name in inputs.hashes), account)

    def _find(self, path: Path) -> Entry | None:
        try:
            entry = read_entry(path)
        except DamagedError as error:
            log.warning("embedding %s is damaged (%s); it is computed again", path, error)
            path.unlink(missing_ok=True)
            return None
        except OSError as error:
            log.warning("embedding %s cannot be read (%s); it is computed again", path, error)
            return None
        if entry is not None:
            mark_used(path)
        return entry

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

    def _keep(self, path: Path, entry: Entry) -> Entry:
        """Written and mapped back; in memory where the disk takes no more."""
        if self._full:
            return entry
        tensors = {name: torch.from_numpy(array) for name, array in entry.arrays.items()}
        try:
            size = write_entry(path, tensors, seconds=entry.seconds)
            kept = read_entry(path)
            self._room.used(size)
        except OSError as error:
            self._full = True
            log.warning(
                "cannot keep embeddings in %s (%s); they stay in memory and are computed again "
                "in the next run; make room, or choose another data.cache",
                self.folder,
                error.strerror or error,
            )
            return entry
        return kept or entry  # another process may have removed it at once

    @cached_property
    def _halving(self) -> Halving:
        return Halving(MOST, self.device)

    @cached_property
    def _room(self) -> Room:
        return Room(self.folder, self.max_bytes)

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
