"""The GPUs as torch sees them: their names, and whether it can use them."""

from __future__ import annotations

import re
import warnings


def gpu_list() -> str:
    """ "cuda:0 (NAME, 40 GB), cuda:1 (...)"."""
    import torch

    names = [f"cuda:{i} ({gpu_text(i)})" for i in range(torch.cuda.device_count())]
    return ", ".join(names) or "none that torch can use"


def gpu_text(index: int) -> str:
    import torch

    properties = torch.cuda.get_device_properties(index)
    return f"{properties.name}, {properties.total_memory / 2**30:.0f} GB"


def torch_problem() -> str:
    """Why torch cannot use a driver that is there, and what to do."""
    import torch

    if torch.version.cuda is None:
        return "it is a build without CUDA; install one with it (the README's setup does)"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        said = " ".join(str(error).split())
        said = re.split(r"(?<=[a-z)])[.:] ", said, maxsplit=1)[0].rstrip(".")[:200]
    else:
        said = "it gives no reason"
    return (
        f"{said}; it is built for CUDA {torch.version.cuda}: update the driver to one for that "
        "CUDA, or install a torch for the driver's (nvidia-smi shows it)"
    )


def arch_problem(index: int) -> str | None:
    """Why no kernel of this torch runs on that GPU; None where they do.

    A kernel built for capability 8.0 runs on 8.0 and above within 8; one in PTX (`compute_90`) runs
    on that capability and on all above.
    """
    import torch

    built = torch.cuda.get_arch_list()
    major, minor = torch.cuda.get_device_capability(index)
    if not built or any(_runs(name, major, minor) for name in built):
        return None
    needed = f"sm_{major}{minor}"
    older = (major, minor) < (7, 5)
    take = "one for CUDA 12 (CUDA 13 has given these GPUs up)" if older else "a newer one"
    return (
        f"cuda:{index} ({gpu_text(index)}) has compute capability {major}.{minor}, and torch "
        f"{torch.__version__} has kernels for {', '.join(built)} alone; install a torch that has "
        f"{needed}, {take}"
    )


def _runs(name: str, major: int, minor: int) -> bool:
    found = re.fullmatch(r"(sm|compute)_(\d+)(\d)[af]?", name)
    if found is None:
        return False
    kernel = int(found[2]), int(found[3])
    if found[1] == "compute":
        return kernel <= (major, minor)
    return kernel[0] == major and kernel[1] <= minor
