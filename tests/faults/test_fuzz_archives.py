"""Broken archives and checkpoints: unpacked or read whole, or refused in one line, nothing left.

Thousands of new ones: pytest tests/faults -k fuzz --hypothesis-profile=long
"""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from bench.fetch import Silent, unpack
from tests.faults.asking import Reader
from tests.faults.spoiling import many, said_by, spoiled

MEMBERS = {"a/image.raw": b"voxels" * 40, "a/b/label.raw": b"labels" * 9, "readme": b"hello"}


def zipped(*, packed: bool) -> bytes:
    buffer = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, content in MEMBERS.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in MEMBERS.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVES = [zipped(packed=False), zipped(packed=True), tarred("w"), tarred("w:gz"), tarred("w:xz")]


@many(100)
@given(
    content=st.sampled_from(ARCHIVES).flatmap(lambda one: spoiled(one, text=True, head=len(one)))
)
def test_archives(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "archives"
    shutil.rmtree(folder, ignore_errors=True)
    inside = folder / "deep" / "inside"
    inside.mkdir(parents=True)
    archive = folder / "deep" / "archive.bin"
    archive.write_bytes(content)
    said = said_by(lambda: unpack(archive, inside / "new", max_bytes=1 << 20, progress=Silent()))
    made = [path for path in folder.rglob("*") if path != archive and path.is_file()]
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    if said:
        assert [path.name for path in made] in ([], [".new.lock"])
    else:
        assert all(path.is_relative_to(inside) for path in made)


WEIGHTS = {"a.weight": torch.arange(12.0).reshape(3, 4), "a.bias": torch.ones(3)}


def checkpoint(*, zip_file: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save({"model": WEIGHTS}, buffer, _use_new_zipfile_serialization=zip_file)
    return buffer.getvalue()


FILES = {"a.safetensors": save(WEIGHTS), "a.pth": checkpoint(zip_file=True)}
FILES["old.pth"] = checkpoint(zip_file=False)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    made = Reader(tmp_path_factory.mktemp("reader"))
    for name, content in FILES.items():
        assert made.ask("weights", name, content)["end"] == "read"
    made.forget_memory()  # what importing torch costs
    yield made
    made.close()


@pytest.mark.parametrize("name", sorted(FILES))
def test_checkpoints(reader: Reader, name: str) -> None:
    @many(40)
    @given(content=spoiled(FILES[name], text=True, head=1000))
    def ask(content: bytes) -> None:
        reader.ask("weights", name, content)

    ask()
