"""One unit in a process of its own: `python -m bench.unit`, its spec on the first line of stdin.

Standard input stays open for as long as the parent lives. When it ends, so does this process and
all that it started: a killed sweep leaves no orphan behind that would run a unit a second time.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from pathlib import Path

from bench.errors import reason_of
from bench.record.schema import Files, Record
from bench.record.store import record_path, write_record
from bench.registry import discover
from bench.unit.spec import FOLDER, Unit


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)
    _remove_folder()
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _remove_folder() -> None:
    """The executor that gave it to us removes it too, unless it was killed."""
    folder = Path(tempfile.gettempdir())
    if folder.name.startswith(FOLDER):
        shutil.rmtree(folder, ignore_errors=True)


def attempt(unit: Unit, *, catch: tuple[type[BaseException], ...] = (BaseException,)) -> Record:
    """The unit's record, whatever happens in it. The log has the traceback."""
    from bench.unit.life import identity, run_unit, set_threads

    set_threads(unit.threads)
    try:
        return run_unit(unit, discover([Path(path) for path in unit.include]))
    except catch as error:  # a method may raise anything; the sweep goes on
        traceback.print_exc()
        log = f"logs/{unit.key}.log"
        kept = log if (Path(unit.results) / log).is_file() else None
        return Record(
            **identity(unit), status="failed", reason=reason_of(error), files=Files(log=kept)
        )


def main() -> int:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(sys.stdin.fileno(), 65536)
        if not byte:
            _remove_folder()
            return 2
        line += byte
    unit = Unit.model_validate_json(line)
    if os.getpgid(0) == os.getpid():  # only where the executor gave this unit its own group
        threading.Thread(target=_end_with_parent, daemon=True).start()
    record = attempt(unit)
    write_record(record_path(Path(unit.results), unit.request, unit.key), record)
    return 0 if record.status == "done" else 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    _remove_folder()
    os._exit(code)  # a thread that a method left running must not keep the process
