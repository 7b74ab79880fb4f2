"""How much memory of a GPU is left to this process."""

from __future__ import annotations

import torch


def free_bytes(device: torch.device) -> int:
    """What it may still allocate: of what nobody has, and under a budget's cap of what the cap
    leaves. What torch's allocator holds and no tensor uses is free, too."""
    free, total = torch.cuda.mem_get_info(device)
    used = torch.cuda.memory_allocated(device)
    free += torch.cuda.memory_reserved(device) - used
    capped = getattr(torch.cuda, "get_per_process_memory_fraction", None)  # since torch 2.7
    cap = total if capped is None else int(capped(device) * total)
    return max(0, min(free, cap - used))
