"""`pool=NAMES`: whose unlabelled images a unit learns from; nobody's test patient is among them.

Three small datasets whose patients have the same ids, each of its own grey value, each with its own
split by the suite's rule; and a method that writes down what it was shown.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.data.ready import make_ready
from bench.errors import RequestError
from bench.plan import Plan, choice_key, make_plan
from bench.record.schema import Record
from bench.registry import Registry, discover
from bench.request.compose import compose_demand
from bench.unit.life import run_unit
from bench.unit.spec import Unit
from bench.unit.state import load_state
from bench.verify.keys import Keys

DATA = """
title: {name}
summary: For tests.
entry: dataset:Toy
modality: MR
classes: [gland]
cases: {patients}
licence: CC0
citation: nobody
official: drawn
layouts: {{drawn: ""}}
manual: Ask the tests.
options: {{there: true}}
"""
READ = """
import numpy as np
from bench.contract import Copy, RawCase, Source
class Toy:
    def __init__(self, options, root):
        self.there = options.there and (not {rooted} or (root / "here").exists())
    def find(self):
        if not self.there: return None
        names = [f"p{{n}}" for n in range({patients})]
        return Copy("drawn", None, tuple(Source(case=n, patient=n) for n in names))
    def read(self, source):
        image = np.full((2, 4, 4), {grey} + int(source.case[1:]), np.float32)
        label = np.zeros((2, 4, 4), np.uint8)
        label[:, 1:3, 1:3] = 1
        return RawCase(image=image, label=label, spacing=(1.0, 1.0, 1.0))
"""
METHOD = """
title: looks
summary: Writes down what it was shown.
entry: method:Looks
options: {width: 4}
pretrain: {options: [width], share: 0.5}
unlabelled_images: true
"""
LOOKS = """
import numpy as np
from bench.contract import Progress
class Looks:
    def __init__(self, options, setting): self.seen = np.zeros((0, 2))
    def pretrain(self, task, clock):
        assert not task.support
        assert all(v.label is None and v.labelled_slices == () for v in task.unlabelled)
        assert len({v.case for v in task.unlabelled}) == len(task.unlabelled)
        names = sorted({v.dataset for v in task.unlabelled})
        assert "" not in names
        for v in task.unlabelled:
            own = v.dataset == task.setting.modality  # the toys' names are their modality
            assert v.case == v.patient == (v.case if own else f"{v.dataset}/{v.case.split('/')[1]}")
        rows = [(names.index(v.dataset), float(v.image[0, 0, 0])) for v in task.unlabelled]
        self.seen = np.array(sorted(rows))
        yield Progress()
    def adapt(self, task, clock):
        self.seen = task.pretrained["seen"]
        assert {v.dataset for v in task.support} == {task.setting.modality}
        yield Progress()
    def predict(self, volume):
        assert volume.dataset == ""
        return np.zeros(volume.image.shape, np.uint8)
    def state_dict(self): return {"seen": self.seen}
    def load_state_dict(self, state): self.seen = state["seen"]
"""
GREY = {"first": 100, "second": 200, "third": 300, "rooted": 400}
"""`rooted` is found in a data.root that holds a file named `here`, and nowhere else."""
PATIENTS = {"first": 10, "second": 8, "third": 6, "rooted": 6}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder = tmp_path_factory.mktemp("toys")
    for name, grey in GREY.items():
        (folder / name).mkdir()
        card = DATA.format(name=name, patients=PATIENTS[name])
        (folder / name / "card.yaml").write_text(card.replace("modality: MR", f"modality: {name}"))
        source = READ.format(grey=grey, patients=PATIENTS[name], rooted=name == "rooted")
        (folder / name / "dataset.py").write_text(source)
    (folder / "looks").mkdir()
    (folder / "looks" / "card.yaml").write_text(METHOD)
    (folder / "looks" / "method.py").write_text(LOOKS)
    return discover([folder])


MakePlan = Callable[..., Plan]


@pytest.fixture
def plan(registry: Registry, cache: Path, tmp_path: Path) -> MakePlan:
    """plan("pool=first,second", ...): of `looks` on the data `first`, unless it says otherwise."""

    def call(*words: str, device: str = "cpu") -> Plan:
        given = {word.partition("=")[0] for word in words}
        usual = {
            "method": "method=looks",
            "dataset": "dataset=first",
            "shots": "shots=1",
            "draw": "draw=0",
            "budget": "budget=steps-100",
        }
        rest = [word for key, word in usual.items() if key not in given]
        demand = compose_demand(
            [*rest, *words, f"data.cache={cache}", f"results={tmp_path}"], registry, gpu=False
        )
        ready = {
            choice_key(choice): make_ready(
                registry, choice.dataset, choice.dataset_options, demand.data
            )
            for choice in demand.choices
        }
        return make_plan(demand, registry, ready, device=device)

    return call


def only(plan: Plan) -> Unit:
    (unit,) = plan.units
    return unit


def split_of(registry: Registry, cache: Path, name: str) -> tuple[set[str], set[str]]:
    """Training and test patients by the dataset's own book."""
    data = {"root": None, "cache": str(cache), "partial": False, "skip_bad": False}
    copy = make_ready(registry, name, {}, data)
    chosen = copy.book.splits[copy.book.default]
    return set(chosen.train), set(chosen.test)


def test_the_own_pool_is_the_training_patients(
    plan: MakePlan, registry: Registry, cache: Path
) -> None:
    unit = only(plan())
    train, test = split_of(registry, cache, "first")
    assert (unit.pool, unit.others) == (sorted(train), ())
    assert set(unit.test) == test
    assert len(test) == 3
    assert (unit.data.pool, unit.data.pools, unit.request.pool) == (7, [], ["own"])
    assert unit.method.overrides == {}


@pytest.mark.parametrize("words", ["first", "own", "own,first", "first,first"])
def test_naming_the_dataset_itself_is_its_own_pool(plan: MakePlan, words: str) -> None:
    assert only(plan(f"pool={words}")) == only(plan())


def test_draws_and_shots_share_one_pretraining(plan: MakePlan) -> None:
    for words in ("own", "first,third"):
        units = plan(f"pool={words}", "draw=0,1,2", "shots=1,3").units
        assert len({unit.key for unit in units}) == 6
        assert len({unit.pretrain.key for unit in units if unit.pretrain}) == 1
        assert len({tuple(unit.pool) for unit in units}) == 1


def test_devices_share_no_pretraining(plan: MakePlan) -> None:
    """`auto` may mean another width there: the weights would not fit, or the times not hold."""
    here, there = (only(plan(device=device)) for device in ("cpu", "cuda"))
    assert here.key == there.key
    assert here.pretrain
    assert there.pretrain
    assert here.pretrain.key != there.pretrain.key


def test_other_datasets_give_their_training_patients(
    plan: MakePlan, registry: Registry, cache: Path
) -> None:
    unit = only(plan("pool=third,first,second"))
    assert unit.request.pool == ["first", "second", "third"]
    assert [source.dataset for source in unit.others] == ["second", "third"]
    for source in unit.others:
        train, test = split_of(registry, cache, source.dataset)
        assert source.cases == sorted(train)
        assert test
        assert not test & set(source.cases)
    facts = {part.dataset: part for part in unit.data.pools}
    counts = {name: part.cases for name, part in facts.items()}
    assert counts == {"first": 7, "second": 6, "third": 4}
    assert unit.data.pool == 17
    assert facts["first"].fingerprint == unit.data.fingerprint
    assert len({part.fingerprint for part in facts.values()}) == 3
    assert facts["first"].split_sha256 == unit.data.split_sha256
    assert unit.method.overrides == {"pool": "first+second+third"}
    assert " pool=first+second" in unit.title


def test_the_dataset_itself_may_be_left_out_of_its_pool(plan: MakePlan) -> None:
    unit = only(plan("pool=second"))
    assert (unit.pool, [source.dataset for source in unit.others]) == ([], ["second"])
    assert unit.data.pool == 6


def test_the_pool_is_in_both_keys(plan: MakePlan) -> None:
    units = [
        only(plan(*word)) for word in ([], ["pool=own,second"], ["pool=second"], ["pool=third"])
    ]
    assert len({unit.key for unit in units}) == 4
    assert len({unit.pretrain.key for unit in units if unit.pretrain}) == 4
    order = only(plan("pool=second,own"))
    assert (order.key, order.pretrain) == (units[1].key, units[1].pretrain)


def test_a_method_that_sees_no_unlabelled_image_has_one_record_for_all_pools(
    plan: MakePlan,
) -> None:
    both = plan("method=looks,unet", "pool=first,second").units
    requests = {unit.request.method: unit.request.pool for unit in both}
    assert requests == {"looks": ["first", "second"], "unet": ["own"]}
    plain = {unit.request.method: unit.key for unit in plan("method=unet").units}
    assert [unit.key for unit in both if unit.request.method == "unet"] == [plain["unet"]]


def test_the_method_sees_images_of_all_and_says_so(
    plan: MakePlan, registry: Registry, cache: Path, tmp_path: Path
) -> None:
    unit = only(plan("pool=first,third"))
    record = run_unit(unit, registry)
    assert record.pretraining is not None
    assert (record.pretraining.pool, record.pretraining.reused) == (7 + 4, False)
    assert Record.model_validate_json(record.model_dump_json()) == record
    assert unit.pretrain is not None
    seen = load_state(tmp_path / "pretrained" / f"{unit.pretrain.key}.safetensors")["seen"]
    expected = [
        (place, GREY[name] + int(patient[1:]))
        for place, name in enumerate(("first", "third"))
        for patient in sorted(split_of(registry, cache, name)[0])
    ]
    assert np.array_equal(seen, np.array(expected))


def test_verifying_a_key_looks_for_the_pools_copies_under_the_root(
    plan: MakePlan, registry: Registry, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "here").touch()
    unit = only(plan("pool=own,rooted", f"data.root={tmp_path}"))
    record = run_unit(unit, registry)
    data = {"root": str(tmp_path), "cache": str(tmp_path / "other")}  # nothing is converted there
    assert Keys(registry, data).of(record) == (record.data.fingerprint, record.key)
    with pytest.raises(RequestError, match="rooted: no copy of it"):
        Keys(registry, {"root": None, "cache": str(tmp_path / "third")}).of(record)


def test_a_copy_that_is_missing_is_the_pools_reason(plan: MakePlan, tmp_path: Path) -> None:
    """There is a line of what to do; the dataset's own options are not the pool's."""
    with pytest.raises(RequestError) as caught:
        plan("pool=own,promise12", f"data.root={tmp_path}")
    text = str(caught.value)
    assert text.startswith(f"pool=own,promise12: promise12: no copy of it in {tmp_path}. leave ")
    assert "\n" not in text
