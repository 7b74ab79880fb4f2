"""python -m bench prepare dataset=NAMES [data.root=DIR] [data.partial=true] [data.skip_bad=true]

Downloads what can be had automatically, checks every case, converts each one once. A dataset that
needs an account says what to download and where to put it. A second call costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.data.ready import Ready, make_ready
from bench.errors import RequestError
from bench.registry import discover
from bench.request.compose import compose_data


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    registry = discover(include)
    if not any(word.startswith("dataset=") for word in arguments):
        raise RequestError("say what to prepare: dataset=NAME; `ls datasets` shows them")
    wanted, data = compose_data(arguments, registry)
    for name, options in wanted:
        print(f"{name}: {describe(make_ready(registry, name, options, data))}", flush=True)
    return 0


def describe(copy: Ready) -> str:
    manifest = copy.store.manifest
    patients = len({case.patient for case in manifest.cases})
    size = sum(file.stat().st_size for file in copy.store.folder.rglob("*.npy"))
    lines = [
        f"{copy.name}: {len(manifest.cases)} cases of {patients} patients, "
        f"{size / 2**20:.0f} MB in {copy.store.folder}",
        f"  fingerprint {copy.fingerprint[:12]}, layout {manifest.layout}, "
        f"spacing from {'the ' + copy.spacing if copy.spacing != 'unknown' else 'nowhere: voxels'}",
    ]
    lines += [f"  left out: {case}" for case in copy.skipped]
    return "\n".join(lines)
