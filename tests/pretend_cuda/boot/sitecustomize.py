"""Python runs this at its start: where the environment asks for it, torch gets its pretend GPUs as
soon as it is imported. Processes that never import it stay as quick as they are.

The package is found by its folder: a method's process may not read the checkout that it lies in.
"""

import os
import sys

if int(os.environ.get("PRETEND_CUDA_COUNT", "0")) > 0:
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from pretend_cuda.arrival import wait_for_torch

    wait_for_torch()
