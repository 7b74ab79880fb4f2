"""A CUDA device that is not there: tensors that say `cuda:0`, lie in ordinary memory, and are as
strict as real ones.

A process gets it by its environment alone (`environment.py`), and so do all that it starts: a
`sitecustomize.py` on PYTHONPATH installs it as soon as torch is imported. Read `dispatch.py` first.

What it is strict about: tensors of two devices in one operation, generators of the other device,
`.numpy()`, ordinals that are not there, matrix products of integers, bf16 below capability 8,
memory and its cap. It counts synchronisations and copies, with the lines that made them. What it
cannot show: real kernels, their speed, and whether they repeat to the bit.
"""
