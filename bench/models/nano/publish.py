"""Ship a training's result: `python -m bench.models.nano.publish which=sam run=FOLDER`.

Writes weights/<which>.safetensors and its card: what it was trained on, how long, and what it does
on held-out drawings beside the untrained network.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import torch

from bench.errors import RequestError
from bench.models.nano.evaluate import FIGURES, untrained
from bench.models.nano.export import WEIGHTS, export, load
from bench.models.nano.plan import WHICH
from bench.models.nano.tasks import new_task


def publish(which: str, run: Path, into: Path = WEIGHTS) -> dict[str, object]:
    """Export the run's last checkpoint into a folder and write its card there."""
    checkpoint = run / f"{which}.pt"
    if not checkpoint.exists():
        raise RequestError(f"no checkpoint {checkpoint}; train it first, with out={run}")
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    task = new_task(which)
    task.load_state_dict(state["task"])
    path = into / f"{which}.safetensors"
    export(which, task, path)
    network = load(which, path)
    card: dict[str, object] = {
        "network": which,
        "file": path.name,
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "parameters": sum(p.numel() for p in network.parameters()),
        "precision": "float16",
        "licence": "Apache-2.0",
        "trained_on": "images drawn by bench.models.nano.drawing; no real image",
        "steps": state["step"],
        "seconds": round(state["seconds"]),
        "plan": state["plan"],
        "figures": {
            "trained": _rounded(FIGURES[which](network)),
            "untrained": _rounded(FIGURES[which](untrained(which))),
        },
    }
    (into / f"{which}.json").write_text(json.dumps(card, indent=2) + "\n")
    return card


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


if __name__ == "__main__":
    given = dict(word.partition("=")[::2] for word in sys.argv[1:])
    if given.get("which") not in WHICH or set(given) != {"which", "run"}:
        sys.exit(str(RequestError(f"write which={'|'.join(WHICH)} and run=FOLDER")))
    try:
        print(json.dumps(publish(given["which"], Path(given["run"])), indent=2))
    except RequestError as error:
        sys.exit(str(error))
