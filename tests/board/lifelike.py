"""Records as a real sweep gives them: many methods, shot counts and draws, curves, costs, failures.

from tests.board.lifelike import sweep
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bench.record.schema import Record
from tests.board.factory import machine, record

LEVELS = {"samora": 0.74, "samora base=hsam": 0.72, "samed": 0.68, "hsam": 0.69, "unet": 0.62}
NAMES = (
    *("samora", "samora base=hsam", "samed", "hsam", "unet", "nnunet", "fewshot_decoder"),
    *("retrieval", "fate", "persam", "linear_probe", "hssl", "hssl pool=several", "late"),
)
CONTROLS = ("control_atlas", "control_nearest", "control_shuffled", "control_empty")
CLASSES = ("left ventricle", "myocardium", "right ventricle")
SHOTS = ("1", "5", "10")


def sweep(
    *,
    dataset: str = "toy_heart",
    shots: Sequence[str] = SHOTS,
    draws: int = 5,
    patients: int = 24,
    names: Sequence[str] = NAMES,
    classes: Sequence[str] = CLASSES,
    predictions: bool = False,
) -> list[Record]:
    """Deterministic. One draw of `late` failed, so that a cell is incomplete."""
    random = np.random.default_rng(7)
    easy = random.normal(0, 0.08, patients)
    luck = {shot: random.normal(0, 0.05, draws) for shot in shots}
    rows = [(name, "method") for name in names]
    rows += [(name, "control") for name in CONTROLS]
    rows += [("sam_prompt", "oracle"), ("medsam_like", "seen")]
    found = []
    for place, (name, block) in enumerate(rows):
        method, _, override = name.partition(" ")
        overrides = dict([override.split("=")]) if override else {}
        base = LEVELS.get(name, 0.25 if block == "control" else 0.68 - 0.012 * place)
        for level, shot in enumerate(shots):
            for draw in range(draws if level == 0 else min(3, draws)):
                own = random.normal(0, 0.03)
                middle = base + 0.07 * level - 0.1 * (level == 0) + luck[shot][draw] + own
                noise = random.normal(0, 0.05, (patients, len(classes)))
                steps = np.linspace(0.08, -0.12, len(classes))
                dice = np.clip(middle + easy[:, None] + steps + noise, 0, 0.97).round(3)
                scores: Any = (
                    dice.tolist()
                    if name != "control_empty"
                    else [["missed"] * len(classes)] * patients
                )
                failed = name == "late" and draw == 2 and level == 1
                seconds = (
                    0.0 if name in ("retrieval", "persam") or "control" in name else 118 + 3 * draw
                )
                found.append(
                    record(
                        scores,
                        method=method,
                        title=f"{method.title()} method",
                        block=block,
                        overrides=overrides,
                        dataset=dataset,
                        classes=classes,
                        shots=shot,
                        draw=str(draw),
                        seconds=seconds,
                        pretraining_seconds=40.0 if method in ("samora", "hssl") else None,
                        converged=float(3 + place + draw) if seconds else None,
                        curve=list(_curve(float(np.mean(middle)), seconds, place)),
                        host_bytes=(300 + 90 * place) * 2**20,
                        reason="out of memory: 2.1 of 2 GB" if failed else None,
                        predictions=f"predictions/{method}-{shot}-{draw}" if predictions else None,
                        on=machine(),
                    )
                )
    return found


def _curve(end: float, seconds: float, place: int) -> Iterator[dict[str, Any]]:
    if not seconds:
        return
    for probe in range(1, 9):
        share = probe / 8
        dice = max(0.0, end * (1 - np.exp(-share * (2 + place / 3))))
        yield {
            "epochs": 20 * share,
            "steps": int((40 + 12 * place) * probe),
            "samples": 80 * probe,
            "seconds": seconds * share,
            "loss": 1 - share,
            "dice": round(min(dice, 1), 4),
            "classes": {},
        }
