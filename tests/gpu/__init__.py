"""`make gpu`: what a machine's GPU does, in at most ten minutes. See `tests/gpu/__main__.py`."""
