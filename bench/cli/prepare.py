"""python -m bench prepare dataset=NAMES [data.root=DIR] [data.partial=true] [data.skip_bad=true]
python -m bench prepare backbone=NAMES [backbone.sam=vit_l]

Downloads what can be had automatically, checks every case or checkpoint, converts each case once.
A dataset that needs an account says what to download and where to put it. A second call is free.
data.hash_ids=true: cases and patients of your own volumes go by hashed names (docs/datasets.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.data.ready import Ready, make_ready
from bench.errors import RequestError
from bench.registry import discover
from bench.request.checks import check_keys, check_name, read_conf
from bench.request.compose import compose_data
from bench.request.grammar import parse


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    heads = {word.partition("=")[0].partition(".")[0] for word in arguments}
    if "backbone" in heads:
        return prepare_backbones(arguments)
    if "dataset" not in heads:
        raise RequestError("say what to prepare: dataset=NAME or backbone=NAME; `ls` shows them")
    registry = discover(include)
    wanted, data = compose_data(arguments, registry)
    for name, options in wanted:
        print(f"{name}: {describe(make_ready(registry, name, options, data))}", flush=True)
    return 0


def prepare_backbones(arguments: Sequence[str]) -> int:
    from bench.models.checkpoints import prepare_backbone

    parsed = parse(arguments)
    for key in parsed:
        if key.partition(".")[0] != "backbone" and key != "data.cache":
            raise RequestError(f"{key}: backbones take backbone=, backbone.FAMILY=, data.cache=")
    check_keys(parsed)
    cache = parsed.get("data.cache", [None])[0]
    for name in parsed.get("backbone", []):
        check_name("backbone", name)
        families = {k: str(v) for k, v in read_conf(f"backbone/{name}").items() if k != "name"}
        for key, values in parsed.items():
            if key.startswith("backbone."):
                families[key.removeprefix("backbone.")] = values[0]
        print(f"backbone {name}")
        for line in prepare_backbone(families, cache):
            print(f"  {line}", flush=True)
    return 0


def describe(copy: Ready) -> str:
    manifest = copy.store.manifest
    patients = len({case.patient for case in manifest.cases})
    size = sum(file.stat().st_size for file in copy.store.folder.rglob("*.npy"))
    mm = {"file": "from the files", "card": "from the card", "unknown": "unknown: in voxels"}
    lines = [
        f"{copy.name}",
        f"  {len(manifest.cases)} cases of {patients} patients, {size / 2**20:.0f} MB in "
        f"{copy.store.folder}",
        f"  fingerprint {copy.fingerprint[:12]}, layout {manifest.layout}, "
        f"spacing {mm[copy.spacing]}",
    ]
    if copy.drawn is not None:
        lines.append(f"  split drawn by our rule, kept in {copy.drawn}")
    lines += [f"  left out: {case}" for case in copy.skipped]
    return "\n".join(lines)
