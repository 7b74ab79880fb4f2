"""A demand -> units, each with the key that says everything its result depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bench.cards import DatasetCard, MethodCard
from bench.data.ready import Ready
from bench.data.splits import Drawn
from bench.keys import copy_key, key_of
from bench.models.checkpoints import card_of
from bench.pool import Pool, pool_copies, unit_pool
from bench.protocol import DEFAULT_DRAWS, PROBE_PATIENTS, VERSION
from bench.record.schema import NO_BACKBONE, Block, DataFacts, MethodFacts, Request
from bench.record.store import record_path, status_of
from bench.registry import Registry, source_hash
from bench.request.demand import Choice, Demand
from bench.request.pool import OWN, pool_of
from bench.unit.spec import PretrainSpec, Support, Unit


@dataclass(frozen=True)
class Plan:
    """`todo` in running order; `done` and `failed` units have a record already."""

    todo: tuple[Unit, ...]
    done: tuple[Unit, ...]
    failed: tuple[Unit, ...]

    @property
    def units(self) -> tuple[Unit, ...]:
        return self.todo + self.done + self.failed


def make_plan(
    demand: Demand,
    registry: Registry,
    ready: Mapping[str, Ready],
    *,
    device: str,
    include: Sequence[Path] = (),
    weights: Mapping[tuple[str, str], str] = MappingProxyType({}),
) -> Plan:
    """`ready`: the prepared copy for each `choice_key` of the demand's choices; `weights`: the hash
    of each (family, checkpoint) that a method takes."""
    groups: dict[str, list[Unit]] = {"todo": [], "done": [], "failed": []}
    seen: set[str] = set()
    pools = pool_copies(demand, registry, ready)
    for unit in _units(demand, registry, ready, pools, device, include, weights):
        if unit.key in seen:
            continue
        seen.add(unit.key)
        status = status_of(record_path(Path(unit.results), unit.request, unit.key))
        again = demand.rerun == "all" or (demand.rerun == "failed" and status == "failed")
        groups["todo" if status is None or again else status].append(unit)
    return Plan(**{name: tuple(units) for name, units in groups.items()})


def choice_key(choice: Choice) -> str:
    """Choices of one dataset with the same options share one prepared copy."""
    return copy_key(choice.dataset, choice.dataset_options)


def block_of(method: MethodCard, dataset: DatasetCard, checkpoints: Mapping[str, str]) -> Block:
    """Where its records stand on the board. A checkpoint that was trained on medical images may
    know the test patients of any published set: `seen` is never ranked (protocol, rule 5). One
    that never learnt makes a control of any method."""
    cards = [card_of(family, name) for family, name in checkpoints.items()]
    if method.block == "method" and any(card.untrained for card in cards):
        return "control"
    if method.block == "method" and any(card.medical for card in cards) and dataset.homepage:
        return "seen"
    return method.block


def _units(
    demand: Demand,
    registry: Registry,
    ready: Mapping[str, Ready],
    pools: Mapping[str, Ready],
    device: str,
    include: Sequence[Path],
    weights: Mapping[tuple[str, str], str],
) -> list[Unit]:
    draws = demand.draws or tuple(str(number) for number in range(DEFAULT_DRAWS))
    drawn: dict[tuple[str, str, str], Drawn] = {}
    units: list[Unit] = []
    results = str(demand.results.resolve())  # asks the disk: once, not a unit
    roots = {copy.root for copy in (*ready.values(), *pools.values()) if copy.root is not None}
    data_roots = tuple(sorted(str(root.resolve()) for root in roots))
    for choice in demand.choices:
        copy = ready[choice_key(choice)]
        store = str(copy.store.folder.resolve())
        found, card = registry.method(choice.method)
        _, dataset = registry.dataset(choice.dataset)
        source = source_hash(found.folder)
        pool = pool_of(demand.pool, choice.dataset) if card.unlabelled_images else (OWN,)
        for shots in demand.shots:
            for draw in draws:
                place = (choice_key(choice), shots, draw)
                if place not in drawn:
                    drawn[place] = copy.resolve(draw, shots, probe_patients=PROBE_PATIENTS)
                for seed in demand.seeds:
                    for val in demand.vals:
                        request = _request(choice, card, drawn[place], seed, val, pool)
                        units.append(
                            _unit(
                                request=request,
                                choice=choice,
                                card=card,
                                block=block_of(card, dataset, request.checkpoints),
                                source=source,
                                drawn=drawn[place],
                                copy=copy,
                                pool=unit_pool(request, copy, drawn[place], pools),
                                demand=demand,
                                store=store,
                                results=results,
                                device=device,
                                include=include,
                                weights=weights,
                                data_roots=data_roots,
                            )
                        )
    return units


def _request(
    choice: Choice, card: MethodCard, drawn: Drawn, seed: int, val: str, pool: Sequence[str]
) -> Request:
    families = card.families(choice.options)
    return Request.model_validate(
        {
            "method": choice.method,
            "options": dict(choice.options),
            "dataset": choice.dataset,
            "dataset_options": {k: v for k, v in choice.dataset_options.items() if k != "root"},
            "shots": drawn.shots,
            "draw": drawn.draw,
            "seed": seed,
            "budget": choice.budget,
            "backbone": choice.backbone["name"] if families else NO_BACKBONE,
            "checkpoints": {family: choice.backbone[family] for family in families},
            "pool": list(pool),
            "val": val,
        }
    )


def _unit(
    *,
    request: Request,
    choice: Choice,
    card: MethodCard,
    block: Block,
    source: str,
    drawn: Drawn,
    copy: Ready,
    pool: Pool,
    demand: Demand,
    store: str,
    results: str,
    device: str,
    include: Sequence[Path],
    weights: Mapping[tuple[str, str], str],
    data_roots: tuple[str, ...],
) -> Unit:
    content = {
        "protocol": VERSION,
        "method": request.method,
        "options": request.options,
        "source": source,
        "dataset": request.dataset,
        "data": copy.fingerprint,
        "drawn": drawn.split_sha256,
        "shots": request.shots,
        "draw": request.draw,
        "seed": request.seed,
        "budget": request.budget.model_dump(),
        "backbone": request.backbone,
        "checkpoints": {
            family: [name, weights.get((family, name), "")]
            for family, name in request.checkpoints.items()
        },
        "val": request.val,
    }
    changed = dict(choice.overrides)
    if pool.facts:
        content["pool"] = pool.content
        changed["pool"] = "+".join(request.pool)  # another row of the board
    pretrain, pretrains = None, card.pretrains(request.options)
    if pretrains is not None:
        shared = ("protocol", "method", "source", "data", "seed", "budget", "checkpoints")
        stage = {
            **{name: content[name] for name in shared},
            "pool": pool.content,
            "options": {name: request.options[name] for name in pretrains.options},
            "share": pretrains.share,
            "device": device.partition(":")[0],  # by which `auto` settles sizes
        }
        pretrain = PretrainSpec(key=key_of(stage), share=pretrains.share)
    return Unit(
        key=key_of(content),
        request=request,
        method=MethodFacts(
            title=card.title,
            block=block,
            source_sha256=source,
            overrides=changed,
            unlabelled_images=card.unlabelled_images,
        ),
        data=DataFacts(
            name=copy.name,
            fingerprint=copy.fingerprint,
            modality=copy.modality,
            classes=list(copy.classes),
            split=drawn.split,
            split_sha256=copy.split_hash(drawn.split),
            spacing=copy.spacing,
            skipped=list(copy.skipped),
            support=[labelled.case for labelled in drawn.support],
            support_slices=copy.slices_of(drawn),
            pool=len(pool.cases) + sum(len(other.cases) for other in pool.others),
            pools=pool.facts,
            probe=list(drawn.probe),
            test=list(drawn.test),
        ),
        support=[
            Support(case=s.case, slices=None if s.slices is None else list(s.slices))
            for s in drawn.support
        ],
        pool=pool.cases,
        others=pool.others,
        probe=list(drawn.probe),
        test=list(drawn.test),
        store=store,
        results=results,
        include=tuple(str(path.resolve()) for path in include),
        keep=demand.keep,
        device=device,
        cache=str(demand.data["cache"]) if demand.data["cache"] else None,
        pretrain=pretrain,
        needs_test_label=card.needs_test_label,
        repeatable=card.repeatable,
        data_roots=data_roots,
        deterministic=card.repeatable_on_cuda if demand.deterministic else None,
    )
