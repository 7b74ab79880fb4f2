"""python -m bench show NAME [results=DIR]

A method, dataset, budget or backbone by its name, or a record by its key: what it holds, and where
its logs are. A unit of a sweep that has no record yet is shown by its key, too (`status` has them).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.cards import Card, DatasetCard, MethodCard, OnCuda, read_yaml
from bench.cli.ls import CONF, table
from bench.cli.words import read_words
from bench.errors import RequestError, one_line, unknown
from bench.record.schema import CaseResult, Record
from bench.registry import Found, discover

ON_CUDA: dict[OnCuda, str] = {
    "bits": "to the bit",
    "deterministic": "to the bit with deterministic=true, else closely",
    "close": "closely: for some of its operations there is no deterministic algorithm",
}


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    words = read_words(arguments, keys=["results"])
    if len(words.plain) != 1:
        raise RequestError("say what to show: a name from `ls`, or a record's key")
    name = words.plain[0]
    registry = discover(include)
    for entries in (registry.methods, registry.datasets):
        if name in entries:
            show(card_lines(entries[name]))
            return 0
    for group in ("budget", "backbone", "executor"):
        file = CONF / group / f"{name}.yaml"
        if file.is_file():
            print(f"{group} {name}: " + file.read_text("utf-8").partition("\n")[0].lstrip("# "))
            for key, value in read_yaml(file).items():
                print(f"  {key:<12}{value}")
            return 0
    from bench.record.store import find_record, is_key, read_record

    if not is_key(name):
        names = [*registry.methods, *registry.datasets]
        names += [file.stem for file in CONF.glob("*/*.yaml")]
        raise unknown("name", name, names)
    results = words.results()
    try:
        path = find_record(results, name)
    except RequestError:
        asked = list(unit_lines(results, name))
        if not asked:
            raise
        show(asked)
        return 0
    record = read_record(path)
    show(record_lines(record, path))
    show(job_lines(results, record.key))
    return 0


def show(lines: Iterable[str]) -> None:
    """Cards and records may be strangers' text: none of it steers the terminal."""
    for line in lines:
        print(one_line(line))


def unit_lines(results: Path, key: str) -> Iterator[str]:
    """A unit that was asked for and has no record yet."""
    from bench.executors.survey import survey

    found = [unit for unit in survey(results).units if unit.key.startswith(key)]
    for unit in found[:1] if len(found) == 1 else []:
        more = " ".join(part for part in (unit.where, unit.since, unit.reason) if part)
        yield f"unit {unit.key}: {unit.title}"
        yield f"  {unit.state}" + (f": {more}" if more else "") + "; it has no record yet"
        log = results / "logs" / f"{unit.key}.log"
        yield f"  log {log}" if log.is_file() else "  no log yet"
        yield from job_lines(results, unit.key)


def job_lines(results: Path, key: str) -> Iterator[str]:
    """Where a cluster put what the unit's job itself printed."""
    from bench.executors.slurm.batches import last_output

    output = last_output(results, key)
    if output is not None:
        yield f"  job log {output}"


def card_lines(found: Found) -> Iterator[str]:
    yield f"{found.kind} {found.name}" + (f": {found.card.title}" if found.card else "")
    if found.problem:
        yield f"  unavailable: {found.problem}"
    card: Card | None = found.card
    if card is None:
        return
    yield f"  {card.summary}"
    if isinstance(card, MethodCard):
        yield f"  paper      {card.paper or '-'}"
        yield f"  trains     {card.trains or '-'}"
        yield f"  block      {card.block}"
        yield f"  backbones  {', '.join(card.backbones) or 'none'}"
        yield f"  repeats    {repeats(card)}"
    if isinstance(card, DatasetCard):
        yield f"  modality   {card.modality}"
        yield f"  classes    {', '.join(card.classes) if card.classes else 'as the copy says'}"
        yield f"  licence    {card.licence}"
        yield f"  citation   {card.citation}"
        for remote in card.files:
            yield f"  download   {remote.url}"
        for line in card.manual.strip().splitlines():
            yield f"  {line}"
    yield f"  folder     {found.folder}"
    if card.options:
        yield "  options"
        rows = [
            {
                "name": f"  {found.kind}.{name}",
                "default": "-" if option.default is None else option.default,
                "what": option.help
                + (f" ({' | '.join(map(str, option.choices))})" if option.choices else ""),
            }
            for name, option in card.options.items()
        ]
        yield from table(rows).split("\n")


def repeats(card: MethodCard) -> str:
    """What a second run with the same seed gives."""
    if not card.repeatable:
        return "no: a seed does not fix its result"
    return f"on a CPU to the bit; on one GPU {ON_CUDA[card.repeatable_on_cuda]}"


def _number(value: float | None, form: str = "{:.3f}") -> str:
    return "-" if value is None else form.format(value)


def record_lines(record: Record, path: Path) -> Iterator[str]:
    request = record.request
    yield f"record {record.key}: {request.method} on {record.data.name}"
    yield f"  shots {request.shots}, draw {request.draw}, seed {request.seed}, " + (
        f"budget {request.budget.name}, backbone {request.backbone}, val {request.val}"
    )
    yield f"  {record.status}, {record.created}" + (f": {record.reason}" if record.reason else "")
    yield f"  file {path}"
    for name, phase in (("pre-training", record.pretraining), ("adaptation", record.adaptation)):
        if phase is not None:
            yield f"  {name}: {phase.epochs:g} epochs, {phase.steps} steps, " + (
                f"{phase.samples} samples, {phase.seconds:.1f} s, "
                f"{phase.overshoot_seconds:.2f} s over, ended by {phase.ended}"
            )
            if phase.waited_seconds:
                yield f"    waited for a core in {phase.waited_seconds:.1f} s of them"
    if record.convergence is not None:
        at = record.convergence.converged
        when = f"{at.seconds:.1f} s, {at.steps} steps" if at else f"no: {record.convergence.note}"
        yield f"  converged: {when}"
    for point in record.curve:
        yield f"    probe at {point.seconds:8.1f} s  {point.steps:6d} steps  " + (
            f"loss {_number(point.loss)}  dice {_number(point.dice)}"
        )
    if record.throughput and record.throughput.slices_per_second:
        yield f"  {record.throughput.slices_per_second.median:.1f} slices/s predicting"
    if record.cases:
        yield from table([_case_row(case) for case in record.cases]).split("\n")
    harness = record.harness
    if harness:
        yield f"  wall {harness.wall_seconds:.1f} s: method {harness.method_seconds:.1f}, " + (
            f"scoring {harness.scoring_seconds:.1f}, harness {harness.overhead_seconds:.1f}"
        )
    for part in record.interruptions:
        fate = "gone on from its state" if part.resumed else "begun anew after it"
        yield f"  interrupted: started {part.started}, {fate}"
    if record.files.log:
        yield f"  log {path.parents[3] / record.files.log}"


def _case_row(case: CaseResult) -> dict[str, str]:
    row = {"case": case.case}
    for name, score in case.classes.items():
        row[f"dice {name}"] = _number(score.dice)
        row[f"hd95 {name}"] = _number(score.hd95, "{:.1f}")
    return {**row, "seconds": f"{case.seconds:.2f}"}
