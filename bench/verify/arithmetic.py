"""What a record says of itself must agree: counts with scores, cases with lists of cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from statistics import median

from bench.record.agreement import disagreements
from bench.record.schema import Machine, Record
from bench.unit.convergence import converge
from bench.unit.machine import fingerprint_of
from bench.verify.clock import strange_clock


def contradictions(record: Record) -> Iterator[str]:
    """All of it, for a record that stands alone."""
    if record.status == "failed":
        yield from strange_failure(record)
        return
    yield from strange_cases(record)
    yield from disagreements(record)
    yield from strange_clock(record)
    yield from derived(record)


def strange_failure(record: Record) -> Iterator[str]:
    if not record.reason:
        yield "it failed without a reason"


def strange_cases(record: Record) -> Iterator[str]:
    """Each test case is scored once, in every class, and is in nothing that the method saw."""
    names = [case.case for case in record.cases]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        yield f"case {', '.join(twice)} is scored twice"
    if set(names) != set(record.data.test):
        odd = sorted(set(names) ^ set(record.data.test))
        yield f"data.test and the scored cases differ in {', '.join(odd[:5])}"
    for part in ("support", "probe"):
        both = sorted(set(getattr(record.data, part)) & set(record.data.test))
        if both:
            yield f"test case {', '.join(both)} is in its {part}"
    if both := sorted(set(record.data.support) & set(record.data.probe)):
        yield f"case {', '.join(both)} is in its support and in its probe"
    for case in record.cases:
        if set(case.classes) != set(record.data.classes):
            yield f"case {case.case} has other classes than data.classes"


def derived(record: Record) -> Iterator[str]:
    """What was worked out from the rest of the record."""
    if record.convergence is not None and record.convergence != converge(record.curve):
        yield "convergence is not what its curve gives"
    seconds = [case.seconds for case in record.cases if case.seconds > 0]
    speed = record.throughput
    if speed is not None and seconds and speed.warm_seconds != median(seconds):
        yield f"throughput.warm_seconds is {speed.warm_seconds}, its cases give {median(seconds)}"


def strange_machine(machine: Machine) -> Iterator[str]:
    """The fingerprint is a hash of the rest."""
    facts = machine.model_dump(exclude={"fingerprint"})
    for name in ("memory_gb", "device_memory_gb"):  # hashed as whole numbers, kept as real ones
        if facts[name] is not None and float(facts[name]).is_integer():
            facts[name] = int(facts[name])
    digest = fingerprint_of(facts)
    if digest != machine.fingerprint:
        yield f"machine.fingerprint is {machine.fingerprint}, by its facts {digest}"
