"""The backward pass on a machine without a driver.

torch's engine asks the CUDA library about the streams of each device that has a context, and that
library dies without a driver. The question is virtual function number four of an interface of
torch's; here it is answered "none has". The place in the table is that of one torch version, so
`install` refuses every other one.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import torch

HAS_CONTEXT = 4
"""Of AcceleratorHooksInterface: two destructors, isBuilt, isAvailable, hasPrimaryContext."""
BEFORE, SLOTS = 2, 96
"""Words before the table's first function; more functions than the class has."""
_kept: list[Any] = []


def answer_for_the_driver() -> None:
    library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
    hooks_of = library._ZN2at6detail12getCUDAHooksEv
    hooks_of.restype = ctypes.c_void_p
    hooks = ctypes.cast(hooks_of(), ctypes.POINTER(ctypes.c_void_p))
    kind = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_int8)
    none_has = kind(lambda this, index: False)
    word = ctypes.sizeof(ctypes.c_void_p)
    first = ctypes.cast(hooks[0] - BEFORE * word, ctypes.POINTER(ctypes.c_void_p))
    table = (ctypes.c_void_p * SLOTS)(*[first[i] for i in range(SLOTS)])
    table[BEFORE + HAS_CONTEXT] = ctypes.cast(none_has, ctypes.c_void_p).value
    _kept.extend([none_has, table])
    hooks[0] = ctypes.addressof(table) + BEFORE * word
