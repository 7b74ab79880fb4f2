"""One unit and its supervisor: `python -m bench.unit`, its spec on the first line of stdin.

Standard input stays open for as long as the parent lives. When it ends, so does this process and
all that it started: a killed sweep leaves no orphan behind that would run a unit a second time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import NoReturn

from bench.errors import MethodError, reason_of
from bench.record.schema import Files, Record
from bench.record.store import write_record
from bench.record.whole import clear_scratch
from bench.registry import discover
from bench.unit import stop
from bench.unit.folders import folders_of, without_folders
from bench.unit.identity import identity
from bench.unit.life import Workers, confined, run_unit
from bench.unit.process_tree import guard
from bench.unit.spec import FOLDER, Unit
from bench.unit.trail import Trail, path_of


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)
    _remove_folder()
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _remove_folder() -> None:
    """The executor that gave it to us removes it too, unless it was killed."""
    folder = Path(tempfile.gettempdir())
    if folder.name.startswith(FOLDER):
        shutil.rmtree(folder, ignore_errors=True)


def attempt(
    unit: Unit,
    *,
    workers: Workers = confined,
    catch: tuple[type[BaseException], ...] = (BaseException,),
) -> Record:
    """The unit's record, whatever happens in it. The log has the traceback. Raises Stopped where it
    was asked to stop: what fails after that, fails because a cluster is ending its helpers."""
    folders = folders_of(unit)  # before the method, which may change where it is
    trail = Trail(unit)
    trail.begin()
    clear_scratch(path_of(unit))
    try:
        registry = discover([Path(path) for path in unit.include])
        record = run_unit(unit, registry, trail, workers=workers)
    except stop.Stopped as stopped:
        trail.stopped(saved=stopped.saved)
        raise
    except catch as error:  # a method may raise anything; the sweep goes on
        if not isinstance(error, MethodError):  # its own process has printed where it failed
            with contextlib.suppress(OSError, ValueError):  # a full disk, a closed stream: no log
                traceback.print_exc()
        if stop.asked():
            trail.stopped(saved=False)
            raise stop.Stopped(saved=False) from None
        reason = reason_of(error)
    else:
        return record.model_copy(update={"interruptions": trail.past})
    # Only here the traceback is gone, and with it the memory that a method without any has taken.
    log = f"logs/{unit.key}.log"
    return Record(
        **identity(unit, trail.machine),
        status="failed",
        reason=without_folders(reason, folders),
        files=Files(log=log if (Path(unit.results) / log).is_file() else None),
        interruptions=trail.past,
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
    stop.listen()
    guard()
    if os.getpgid(0) == os.getpid():  # only where the executor gave this unit its own group
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        if unit.stage == "pretrain":
            return _pretrain(unit)
        record = attempt(unit)
    except stop.Stopped as stopped:
        print(stopped, flush=True)
        return stopped.code
    write_record(path_of(unit), record)
    Trail(unit).clear()
    return 0 if record.status == "done" else 1


def _pretrain(unit: Unit) -> int:
    from bench.unit.life import pretrain_unit

    try:
        pretrain_unit(unit, discover([Path(path) for path in unit.include]))
    except stop.Stopped:
        raise
    except BaseException:  # the units that need it meet the same error, and record it
        traceback.print_exc()
        return 1
    return 0


def _run() -> NoReturn:
    """A thread that a method left running must not keep the process, whatever happened."""
    code = 1
    try:
        code = main()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # no record could be written: the executor says why
        traceback.print_exc()
    finally:
        _remove_folder()
        os._exit(code)


if __name__ == "__main__":
    _run()
