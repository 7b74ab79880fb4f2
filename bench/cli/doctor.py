"""python -m bench doctor [data.root=DIR] [data.cache=DIR]

What this machine has: Python, packages, device, cores, memory, free disk, methods, data.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace

import psutil

from bench import __version__
from bench.cli.words import read_words
from bench.data.places import cache_folder, download_folder
from bench.driver import driver_of_gpus, gpus_are_hidden
from bench.errors import RequestError
from bench.gpus import arch_problem, gpu_text, torch_problem
from bench.registry import Registry, discover, load
from bench.unit.isolation import available_isolation

PACKAGES = (
    "torch",
    "torchvision",
    "segment-anything",
    "sam2",
    "peft",
    "monai",
    "nnunetv2",
    "hydra-core",
    "timm",
)


ISOLATIONS = {
    "landlock": "landlock: a method's process opens its code, weights and scratch folder alone",
    "namespace": "namespace (this kernel has no Landlock): data, labels and results are hidden "
    "from a method's process",
    "none": "none (this kernel has neither Landlock nor user namespaces): a method could read "
    "the test labels; records say so, and their rows are marked",
}


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    words = read_words(arguments, keys=["data.root", "data.cache"])
    cache = cache_folder(words.keys.get("data.cache"))
    root = words.folder("data.root", "") if "data.root" in words.keys else None
    rows = [*machine(cache), *entries(discover(include), root, cache)]
    width = max(len(name) for name, _ in rows) + 2
    for name, value in rows:
        print(f"{name:<{width}}{value}")
    return 0


def machine(cache: Path) -> Iterator[tuple[str, str]]:
    yield "sambench", __version__
    yield "python", platform.python_version()
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, "MISSING: make setup, or pip install -e ."
    yield from devices()
    yield "isolation", ISOLATIONS[available_isolation()]
    memory = psutil.virtual_memory()
    yield "cores", str(psutil.cpu_count())
    yield "memory", f"{memory.total / 2**30:.0f} GB, {memory.available / 2**30:.0f} GB free"
    there = next(path for path in (cache, *cache.parents) if path.exists())
    yield "cache", f"{cache}, {shutil.disk_usage(there).free / 2**30:.0f} GB free"


def devices() -> Iterator[tuple[str, str]]:
    """Every GPU and whether this torch has kernels for it; a driver that torch cannot use is said,
    since every `run` is refused until somebody says device=cpu."""
    driver = driver_of_gpus()
    if driver is None or gpus_are_hidden():
        yield "device", "cpu" if driver is None else "cpu (CUDA_VISIBLE_DEVICES hides the GPUs)"
        return
    import torch

    if not torch.cuda.is_available():
        yield "device", f"UNUSABLE GPU: there is an NVIDIA driver ({driver}), but torch sees none"
        yield "", f"{torch_problem()}; until then say device=cpu"
        return
    for index in range(torch.cuda.device_count()):
        major, minor = torch.cuda.get_device_capability(index)
        problem = arch_problem(index)
        said = "" if problem is None else f"; UNUSABLE: {problem}"
        yield f"device cuda:{index}", f"{gpu_text(index)}, capability {major}.{minor}{said}"


def entries(registry: Registry, root: Path | None, cache: Path) -> Iterator[tuple[str, str]]:
    broken = [f for f in registry.methods.values() if f.problem]
    yield "methods", f"{len(registry.methods) - len(broken)} available"
    for found in broken:
        yield f"  {found.name}", f"unavailable: {found.problem}"
    for name, found in registry.datasets.items():
        if found.problem is not None:
            yield f"data {name}", f"unavailable: {found.problem}"
            continue
        yield f"data {name}", data_state(registry, name, root, cache)


def data_state(registry: Registry, name: str, root: Path | None, cache: Path) -> str:
    """Where a copy is, or how one can be had."""
    found, card = registry.dataset(name)
    try:
        dataset = load(found)(
            SimpleNamespace(**card.defaults), root or download_folder(cache, name)
        )
        copy = dataset.find()
    except RequestError as error:
        return str(error)
    if copy is not None:
        where = "" if copy.root is None else f" in {copy.root}"
        return f"{len(copy.sources)} cases{where}"
    return "not here; prepare downloads it" if card.files else "not here; see `show " + name + "`"
