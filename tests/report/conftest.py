"""A folder of records with kept predictions, and the volumes that they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.record.schema import Record
from tests.board.factory import record, save
from tests.report.chromium import Chromium, find_chromium

SHAPE = (10, 64, 64)
NASTY = "<img src=x onerror=alert(1)>\"'&</script><script>alert(2)</script>"


def reference() -> np.ndarray:
    label = np.zeros(SHAPE, np.uint8)
    label[3:7, 20:40, 20:40] = 1
    label[5, 30:50, 30:50] = 2
    return label


def volumes(one: Record, case: str) -> tuple[np.ndarray, np.ndarray]:
    """An image that brightens to the right, the same for all cases."""
    image = np.broadcast_to(np.linspace(0, 1000, SHAPE[2], dtype=np.float32), SHAPE)
    return image, reference()


def keep(results: Path, one: Record) -> None:
    """Predictions as a unit writes them: shifted by one voxel a case."""
    folder = results / str(one.files.predictions)
    folder.mkdir(parents=True, exist_ok=True)
    for shift, case in enumerate(one.cases):
        np.savez_compressed(folder / f"{case.case}.npz", label=np.roll(reference(), shift, axis=2))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods and a control that kept predictions, one that kept none, and a failure."""
    folder = tmp_path_factory.mktemp("results")
    for place, name in enumerate(("unet", "linear_probe", "control_atlas")):
        for shots in ("1", "5"):
            for draw in range(2):
                made = record(
                    [[0.5 + 0.1 * p + 0.01 * place, 0.4] for p in range(4)],
                    method=name,
                    block="control" if place == 2 else "method",
                    classes=("organ", "tumour"),
                    shots=shots,
                    draw=str(draw),
                    predictions=f"predictions/{name}-{shots}-{draw}",
                )
                save(folder, made)
                keep(folder, made)
    classes = ("organ", "tumour")
    save(folder, record([[0.9, 0.9]] * 4, method="keeps_none", classes=classes))
    save(
        folder, record(method="unet", shots="5", draw="7", reason=f"boom {NASTY}", classes=classes)
    )
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    if find_chromium() is None:
        pytest.skip("there is no Chromium on this machine (chromium, google-chrome)")
    with Chromium() as found:
        yield found
