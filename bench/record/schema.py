"""The record of one unit: typed, versioned, validated when read and when written.

Undefined numbers are null, never NaN. Distances are in millimetres where `data.spacing` is "file"
or "card", in voxels where it is "unknown". `docs/record.md` explains every field to a reader.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION: Literal[1] = 1

Isolation = Literal["landlock", "namespace", "none"]
NO_BACKBONE = "none"
"""A method that takes no backbone has one record for all, and a row in the tables of each."""

HASHED_IDS = "hashed ids"
"""How the name of a copy ends whose cases and patients go by hashed names (`data.hash_ids=true`).
"""

Block = Literal["method", "seen", "control", "oracle"]
# Bounds far beyond any run: a sum of a stranger's numbers is a number, too.
Seconds = Annotated[float, Field(ge=0, le=1e15)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Unit01 = Annotated[float, Field(ge=0, le=1)]
Distance = Annotated[float, Field(ge=0, le=1e15)]
Epochs = Annotated[float, Field(ge=0, le=1e15)]
Real = Annotated[float, Field(ge=-1e30, le=1e30)]


class Part(BaseModel):
    """Base of every part: no unknown keys, no NaN or infinity, no change after the fact."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BudgetSpec(Part):
    """A named budget: seconds or steps (neither: each method's own recipe), and a memory cap."""

    name: str
    seconds: Seconds | None = None
    steps: Count | None = None
    memory_gb: Real | None = None
    probes: Count = 8


class Request(Part):
    """What identifies the unit to a person."""

    method: str
    options: dict[str, Any]
    dataset: str
    dataset_options: dict[str, Any] = {}
    shots: str
    draw: str
    seed: int
    budget: BudgetSpec
    backbone: str
    checkpoints: dict[str, str] = {}
    pool: list[str] = ["own"]
    val: Literal["none", "oracle"] = "none"


class MethodFacts(Part):
    """From the method's card, at the time of the run."""

    title: str
    block: Block
    source_sha256: str
    overrides: dict[str, Any] = {}
    unlabelled_images: bool = False


class PoolFacts(Part):
    """A dataset whose training patients are in the pool; `name` as in DataFacts."""

    dataset: str
    name: str
    fingerprint: str
    split_sha256: str
    cases: Count


class DataFacts(Part):
    """The data that this unit saw.

    name         the board's name of this copy: "promise12", "la2018, h5 crop, 30 of 100 cases"
    fingerprint  hash of every case's voxels, labels and spacing
    pools        where other datasets are in the pool: all that it is made of
    """

    name: str
    fingerprint: str
    modality: str
    classes: list[str]
    split: str
    split_sha256: str
    spacing: Literal["file", "card", "unknown"]
    skipped: list[str] = []
    support: list[str]
    support_slices: Count
    pool: Count
    pools: list[PoolFacts] = []
    probe: list[str]
    test: list[str]


class EmbeddingUse(Part):
    """What a phase took from the embedding cache. `owed_seconds` is what its hits cost whoever
    computed them: on the clock, though nobody spent it here."""

    state: Literal["cold", "warm", "mixed"]
    hits: Count
    misses: Count
    computed_seconds: Seconds
    owed_seconds: Seconds


class Phase(Part):
    """One generator's work. `seconds` are device seconds on the clock; in `waited_seconds` of them
    the work stood ready while something else had its core."""

    epochs: Epochs = 0
    steps: Count = 0
    samples: Count = 0
    seconds: Seconds = 0
    waited_seconds: Seconds | None = None
    overshoot_seconds: Seconds = 0
    overshoot_steps: Count = 0
    ended: Literal["budget", "method", "none"] = "none"
    embeddings: EmbeddingUse | None = None
    peak_device_bytes: Count | None = None


class Pretraining(Phase):
    """Charged to every unit that uses it; `reused` says that this one did not compute it."""

    key: str
    reused: bool
    pool: Count


class CurvePoint(Part):
    """A probe: where the run stood, and the probe patients' mean Dice."""

    epochs: Epochs
    steps: Count
    samples: Count
    seconds: Seconds
    loss: float | None
    dice: Unit01 | None
    classes: dict[str, Unit01 | None]


class Moment(Part):
    """A point of the adaptation, pre-training apart."""

    epochs: Epochs
    steps: Count
    samples: Count
    seconds: Seconds


class Convergence(Part):
    """`converged` is null where the curve never settled: censored at the last probe."""

    plateau: Unit01 | None
    converged: Moment | None
    censored_at: Moment | None
    targets: dict[str, Moment | None]
    note: str | None = None


class Spread(Part):
    """Median and quartiles of n measurements."""

    median: Real
    q1: Real
    q3: Real
    n: Count


class Throughput(Part):
    """Measured with warm-up and device synchronisation; null where nothing was measured."""

    train_samples_per_second: Spread | None
    volumes_per_minute: Spread | None
    slices_per_second: Spread | None
    cold_seconds: Seconds | None
    warm_seconds: Seconds | None


class Resources(Part):
    peak_host_bytes: Count
    peak_device_bytes: Count | None
    predict_peak_device_bytes: Count | None = None
    trainable_parameters: Count | None
    total_parameters: Count | None
    energy_joules: Annotated[float, Field(ge=0, le=1e15)] | None = None


class ClassScore(Part):
    """Integers first: any other rule can be recomputed from them."""

    tp: Count
    fp: Count
    fn: Count
    dice: Unit01 | None
    iou: Unit01 | None
    hd95: Distance | None
    assd: Distance | None
    nsd: Unit01 | None
    empty: Literal["both", "missed", "false_positive"] | None = None


class CaseResult(Part):
    case: str
    patient: str
    shape: tuple[Count, Count, Count]
    spacing: tuple[Real, Real, Real]
    seconds: Seconds
    classes: dict[str, ClassScore]


class Machine(Part):
    """`fingerprint` hashes the rest: timings of two fingerprints are never ranked together."""

    fingerprint: str
    system: str
    cpu: str
    cores: Count
    threads: Count
    memory_gb: Real
    device: str
    device_memory_gb: Real | None = None
    jobs_per_gpu: Count | None = None


class Harness(Part):
    """Where the wall time went. `overhead` = wall - method - scoring.

    isolation       how the process was confined in which the method ran
    worker_seconds  that process' own account of the adaptation
    cpu_seconds     CPU time of that process and all that it started
    background_cpu_seconds  the part of it that was used while the budget's clock stood
    deterministic   whether torch's deterministic algorithms were asked for on a GPU
    predict_limit   seconds that the prediction of one volume could have taken
    """

    wall_seconds: Seconds
    method_seconds: Seconds
    probe_seconds: Seconds
    scoring_seconds: Seconds
    overhead_seconds: Seconds
    isolation: Isolation | None = None
    worker_seconds: Seconds | None = None
    cpu_seconds: Seconds | None = None
    background_cpu_seconds: Seconds | None = None
    deterministic: bool | None = None
    predict_limit: Seconds | None = None


class Files(Part):
    """Relative to the results folder; null where nothing was kept."""

    log: str | None = None
    predictions: str | None = None
    state: str | None = None


class Interruption(Part):
    """An earlier start of this unit that ended without a record: stopped, or killed."""

    started: str
    stopped: str | None = None
    resumed: bool = False


class Record(Part):
    schema_version: Literal[1] = 1
    protocol: Count
    key: str
    status: Literal["done", "failed"]
    reason: str | None = None
    created: str
    request: Request
    method: MethodFacts
    data: DataFacts
    pretraining: Pretraining | None = None
    adaptation: Phase = Phase()
    curve: list[CurvePoint] = []
    convergence: Convergence | None = None
    throughput: Throughput | None = None
    resources: Resources | None = None
    cases: list[CaseResult] = []
    machine: Machine
    versions: dict[str, str]
    harness: Harness | None = None
    files: Files = Files()
    interruptions: list[Interruption] = []
