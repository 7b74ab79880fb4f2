"""What Slurm says of our jobs. Its accounting may be off: only squeue and scontrol are asked."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Collection
from dataclasses import dataclass

from bench.errors import RequestError

COMMANDS = ("sbatch", "squeue", "scontrol", "srun")
FIELDS = "%i|%j|%T|%N|%r"
QUEUED = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SUSPENDED", "STOPPED")
GONE = (
    *("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL"),
    *("PREEMPTED", "DEADLINE"),
)
"""States that squeue still shows for a moment, of jobs that will not come back."""


@dataclass(frozen=True)
class Job:
    """id  as scontrol takes it: "12", or "12_3" in an array"""

    id: str
    name: str
    state: str
    node: str
    reason: str

    @property
    def index(self) -> int:
        """Its place in its array; a job alone is the first."""
        return int(self.id.partition("_")[2] or 0)

    @property
    def queued(self) -> bool:
        return self.state in QUEUED


def check_slurm() -> None:
    missing = [command for command in COMMANDS if shutil.which(command) is None]
    if missing:
        raise RequestError(
            f"executor=slurm: there is no {', '.join(missing)} here; "
            "type this on a machine from which jobs are submitted"
        )


def live_jobs(names: Collection[str]) -> dict[tuple[str, int], Job]:
    """(name, index) -> the job that waits, runs or ends just now."""
    if not names:
        return {}
    found: dict[tuple[str, int], Job] = {}
    for line in _ask("squeue", "-h", "-r", "-a", "-n", ",".join(sorted(names)), "-o", FIELDS):
        job = Job(*line.split("|", 4))
        if job.state not in GONE:
            found[job.name, job.index] = job
    return found


def end_of(job: str) -> tuple[str, str]:
    """(state, more of it) of a job that is no longer live: ("TIMEOUT", "on node3"). Slurm forgets
    jobs after a few minutes: ("", "")."""
    try:
        text = " ".join(_ask("scontrol", "show", "job", "-o", job))
    except RequestError:
        return "", ""
    facts = dict(re.findall(r"(\w+)=(\S*)", text))
    node = facts.get("NodeList", "(null)")
    where = f"on {node}" if node not in ("(null)", "") else ""
    code = facts.get("ExitCode", "0:0")
    return facts.get("JobState", ""), " ".join(
        part for part in (where, f"exit code {code}" if code != "0:0" else "") if part
    )


def _ask(*command: str) -> list[str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RequestError(f"{command[0]}: {error}") from None
    if done.returncode:
        problem = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise RequestError(f"{command[0]}: {problem[-1]}")
    return [line for line in done.stdout.splitlines() if line]
