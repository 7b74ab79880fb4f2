"""Python runs this at its start: where the environment asks for it, torch gets its pretend GPUs as
soon as it is imported. Processes that never import it stay as quick as they are."""

import os

if int(os.environ.get("PRETEND_CUDA_COUNT", "0")) > 0:
    from tests.pretend_cuda.arrival import wait_for_torch

    wait_for_torch()
