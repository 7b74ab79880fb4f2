"""Where a record comes from: budget, split, block, source and card, by what is committed."""

from __future__ import annotations

from collections.abc import Iterator

from bench.record.schema import Record
from bench.registry import Registry, source_hash
from bench.verify.committed import History
from bench.verify.facts import strange_block, strange_budget, strange_data, strange_method
from bench.verify.finding import Finding, marked, not_checked, problems


def origin(record: Record, registry: Registry, history: History | None) -> list[Finding]:
    """Without a git history the folders as they are count as committed."""
    request = record.request
    for kind, name, known in (
        ("method", request.method, registry.methods),
        ("dataset", request.dataset, registry.datasets),
    ):
        if name not in known:
            said = f"there is no {kind} {name} in this repository"
            checks = ("budget", "split", "block", "card")
            return [
                *problems("source", [said]),
                *(not_checked(check, f"there is no {kind} {name} here") for check in checks),
            ]
    found, card = registry.method(request.method)
    dataset = registry.dataset(request.dataset)[1]
    findings = [
        *problems("budget", strange_budget(record)),
        *problems("split", strange_data(record, registry)),
        *problems("block", strange_block(record, card, dataset)),
    ]
    current = source_hash(found.folder) == record.method.source_sha256
    findings += problems("source", _source(record, current, history))
    if findings:
        findings.append(not_checked("card", "what it comes from is in doubt already"))
    elif current:
        findings += problems("card", strange_method(record, registry))
    else:
        assert history is not None  # an unknown source without one is a problem
        commit = history.commit_of(request.method, record.method.source_sha256)
        text = f"made by an earlier version of {request.method} (commit {str(commit)[:10]})"
        findings.append(marked("source", text))
        findings.append(not_checked("card", "it was made by an earlier version of its method"))
    return findings


def _source(record: Record, current: bool, history: History | None) -> Iterator[str]:
    source, method = record.method.source_sha256, record.request.method
    said = f"method source {source[:12]} of {method}"
    if history is None:
        if not current:
            yield f"{said} is not the code here, and there is no git history to look through"
    elif history.commit_of(method, source) is None:
        deep = ", as far as this shallow clone goes" if history.shallow else ""
        yield f"{said} is in no commit{deep}: commit the code, then run"
