"""What reaches a method: the support's labels as far as the shot goes, and nothing else's."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from bench.contract import Volume
from bench.protocol import UNLABELLED
from bench.record.schema import BudgetSpec, DataFacts, MethodFacts, Request
from bench.unit.spec import PoolSource, Support, Unit
from bench.unit.task import make_setting, make_task


@dataclass
class Shelf:
    """Stands where the volume store does; notes whose label was taken."""

    opened: list[str] = field(default_factory=list)

    def volume(self, case: str, *, with_label: bool) -> Volume:
        number = int(case[1:])
        image = np.full((4, 3, 2), number, np.float32)
        label = np.full((4, 3, 2), number % 2 + 1, np.uint8)
        image.flags.writeable = label.flags.writeable = False
        if with_label:
            self.opened.append(case)
        return Volume(
            case=case,
            patient=f"p{number}",
            image=image,
            spacing=(3.0, 1.0, 1.0),
            label=label if with_label else None,
            labelled_slices=(0, 1, 2, 3) if with_label else (),
        )


def make_unit(
    *, support: list[Support], seed: int = 0, draw: str = "0", shots: str = "2", key: str = "0" * 16
) -> Unit:
    return Unit(
        key=key,
        request=Request(
            method="any",
            options={},
            dataset="toy",
            shots=shots,
            draw=draw,
            seed=seed,
            budget=BudgetSpec(name="steps-10", steps=10),
            backbone="none",
            checkpoints={"sam": "vit_b"},
        ),
        method=MethodFacts(title="Any", block="method", source_sha256="0" * 64),
        data=DataFacts(
            name="toy",
            fingerprint="f",
            modality="MR",
            classes=["gland", "lesion"],
            split="ours",
            split_sha256="s",
            spacing="file",
            support=[labelled.case for labelled in support],
            support_slices=0,
            pool=4,
            probe=["c4"],
            test=["c5"],
        ),
        support=support,
        pool=["c1", "c2", "c3", "c4"],
        probe=["c4"],
        test=["c5"],
        store="store",
        results="results",
    )


def test_labels_of_the_support_alone_are_opened(tmp_path: Path) -> None:
    unit = make_unit(support=[Support(case="c1"), Support(case="c2")])
    shelf = Shelf()
    task = make_task(unit, make_setting(unit), shelf, tmp_path)  # type: ignore[arg-type]
    assert shelf.opened == ["c1", "c2"]
    assert [volume.case for volume in task.support] == ["c1", "c2"]
    assert all((v.label == number % 2 + 1).all() for number, v in enumerate(task.support, 1))
    assert [volume.case for volume in task.unlabelled] == ["c1", "c2", "c3", "c4"]
    assert all(v.label is None and v.labelled_slices == () for v in task.unlabelled)
    assert "c5" not in {volume.case for volume in (*task.support, *task.unlabelled)}
    assert (task.scratch, task.pretrained) == (tmp_path, None)


def test_images_of_other_datasets_come_without_labels_and_with_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelves = {"mine": Shelf(), "theirs": Shelf()}
    monkeypatch.setattr("bench.unit.task.pool_store", lambda unit, pool: shelves[pool.store])
    unit = make_unit(support=[Support(case="c1")]).model_copy(
        update={"others": (PoolSource(dataset="far", store="theirs", cases=["c1", "c7"]),)}
    )
    task = make_task(unit, make_setting(unit), shelves["mine"], tmp_path)  # type: ignore[arg-type]
    assert [(v.dataset, v.case, v.patient) for v in task.unlabelled[3:]] == [
        ("toy", "c4", "p4"),
        ("far", "far/c1", "far/p1"),
        ("far", "far/c7", "far/p7"),
    ]
    assert all(v.label is None and v.labelled_slices == () for v in task.unlabelled)
    assert (task.unlabelled[-1].image == 7).all()
    assert [volume.dataset for volume in task.support] == ["toy"]
    assert (shelves["mine"].opened, shelves["theirs"].opened) == (["c1"], [])


def test_slices_without_a_label_carry_none(tmp_path: Path) -> None:
    unit = make_unit(support=[Support(case="c1", slices=[3, 1])], shots="2s")
    task = make_task(unit, make_setting(unit), Shelf(), tmp_path)  # type: ignore[arg-type]
    (volume,) = task.support
    assert volume.label is not None
    assert volume.labelled_slices == (1, 3)
    assert (volume.label[[1, 3]] == 2).all()
    assert (volume.label[[0, 2]] == UNLABELLED).all()
    assert volume.label.dtype == np.uint8
    assert (volume.image == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        volume.label[0] = 1


def test_the_setting_says_what_stays_true() -> None:
    setting = make_setting(make_unit(support=[Support(case="c1")]))
    assert setting.classes == ("gland", "lesion")
    assert (setting.modality, setting.device) == ("MR", "cpu")
    assert setting.backbone == {"sam": "vit_b"}


def test_a_seed_a_draw_but_nothing_else_changes_the_stream() -> None:
    support = [Support(case="c1")]

    def seed(**changed: object) -> int:
        return make_setting(make_unit(support=support, **changed)).seed  # type: ignore[arg-type]

    assert seed() == seed(shots="1", key="1" * 16)
    seeds = [seed(seed=s, draw=d) for s in (0, 1, 11) for d in ("0", "1", "samed")]
    assert len(set(seeds)) == 9
    assert all(0 <= value < 2**31 for value in seeds)
    # `printf '0|0' | sha256sum` begins with 0642c4ea
    assert seed() == 0x0642C4EA >> 1
