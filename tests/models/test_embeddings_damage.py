"""Broken files, killed writers, several writers at once: no wrong number ever comes back."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.models.embeddings import image_inputs
from bench.models.embeddings.entry import DamagedError, read_entry, write_entry
from tests.models.embedding_toys import RECIPE, Encoder, cache_in, encoded, files, pictures


def one_entry(folder: Path) -> Path:
    cache_in(folder).embed(Encoder(), image_inputs(pictures(1)), recipe=RECIPE)
    (path,) = files(folder)
    return path


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda raw: b"",
    "zeros": lambda raw: bytes(len(raw)),
    "cut off": lambda raw: raw[:-1],
    "half": lambda raw: raw[: len(raw) // 2],
    "longer": lambda raw: raw + b"x",
    "one value": lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]),
    "another file": lambda raw: b"not an embedding at all, but something else",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_computed_again(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path, images, encoder = one_entry(tmp_path), pictures(1), Encoder()
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    embedded = cache_in(tmp_path).embed(encoder, image_inputs(images), recipe=RECIPE)
    assert encoder.seen == [1]
    assert torch.equal(embedded.take(), encoded(images).half())
    (message,) = caplog.messages
    assert message.startswith(f"embedding {path} is damaged (")
    assert message.endswith("); it is computed again")
    cache_in(tmp_path).embed(encoder, image_inputs(images), recipe=RECIPE)
    assert encoder.seen == [1]  # and it is whole now


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = one_entry(tmp_path)
    raw = path.read_bytes()
    for place in range(len(raw)):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 1 << place % 8]) + raw[place + 1 :])
        with pytest.raises(DamagedError):
            read_entry(path)
    path.write_bytes(raw)
    assert read_entry(path) is not None


def test_a_tensor_file_without_our_facts_is_damaged(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"embedding": torch.ones(2)}, tmp_path / "a.safetensors")
    with pytest.raises(DamagedError, match=r"^it says neither its checksum nor its cost$"):
        read_entry(tmp_path / "a.safetensors")


def test_an_entry_that_cannot_be_read_is_computed_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, encoder = one_entry(tmp_path), Encoder()
    path.unlink()
    path.mkdir()  # as good as a file of another user, and root may not read it either
    embedded = cache_in(tmp_path).embed(encoder, image_inputs(pictures(1)), recipe=RECIPE)
    assert torch.equal(embedded.take(), encoded(pictures(1)).half())
    assert caplog.messages[0].startswith(f"embedding {path} cannot be read (")
    assert not list(path.parent.glob(".*.tmp"))


def child(work: Callable[[], None]) -> int:
    """`work` in a process of its own. It uses no thread pool, so a fork is safe."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()  # the parent only sees the exit code
        finally:
            os._exit(code)
    return pid


def test_a_kill_leaves_whole_entries_alone(tmp_path: Path) -> None:
    """Killed while it overwrites one large entry for ever, five times at some moment."""
    path = tmp_path / "recipe" / "entry.safetensors"
    contents = [{"embedding": torch.full((1_000_000,), float(i))} for i in range(2)]

    def write() -> None:
        while True:
            for i, tensors in enumerate(contents):
                write_entry(path, tensors, seconds=float(i))

    write_entry(path, contents[0], seconds=0.0)
    for attempt in range(5):
        pid = child(write)
        try:
            time.sleep(0.05 + 0.017 * attempt)
            for _ in range(3):
                assert read_entry(path) is not None  # whole while it is being replaced, too
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        found = read_entry(path)
        assert found is not None
        values = found.arrays["embedding"]
        assert values.shape == (1_000_000,)
        assert (values == found.seconds).all()


def test_several_writers_of_the_same_entries(tmp_path: Path) -> None:
    """Three processes want the same twenty, in other orders, in a cache that holds ten."""
    images = pictures(20)
    size = one_entry(tmp_path).stat().st_size
    bound = 10 * size

    def work(seed: int) -> Callable[[], None]:
        def run() -> None:
            for turn in range(5):
                order = torch.randperm(20, generator=torch.Generator().manual_seed(seed + turn))
                embedded = cache_in(tmp_path, max_bytes=bound).embed(
                    Encoder(), image_inputs(images[order]), recipe=RECIPE, batch=3
                )
                assert torch.equal(embedded.take(), encoded(images[order]).half())

        return run

    processes = [child(work(seed)) for seed in (0, 100, 200)]
    codes = [os.waitpid(pid, 0)[1] for pid in processes]
    assert codes == [0, 0, 0]
    assert 0 < sum(path.stat().st_size for path in files(tmp_path)) <= bound
    assert not list(tmp_path.rglob("*.tmp"))
