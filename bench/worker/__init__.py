"""The process in which a method's code runs: confined, without labels of the test set, and without
a say in its own record. `bench.unit` is the other side, which drives it."""
