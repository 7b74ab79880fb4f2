"""The life of one unit: adapt under a budget, probe, predict, score, record."""
