"""Random numbers that are the same on every machine and with every numpy.

numpy promises the raw stream of PCG64 for good, but neither the stream of `Generator`'s
distributions nor the last bit of exp, log and sin. So numbers are made here from raw bits with
+ - * / and sqrt alone, which IEEE 754 rounds in one way.
"""

from __future__ import annotations

import numpy as np


class Stream:
    """One stream of numbers for one key, e.g. (dataset seed, patient number)."""

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def _raw(self, count: int) -> np.ndarray:
        return np.asarray(self._bits.random_raw(count), dtype="<u8")

    def uniforms(self, *shape: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """Uniform in [low, high), 53 random bits each."""
        bits = self._raw(int(np.prod(shape))) >> np.uint64(11)
        return (low + (high - low) * (bits.astype(np.float64) * 2.0**-53)).reshape(shape)

    def uniform(self, low: float, high: float) -> float:
        return float(self.uniforms(1, low=low, high=high)[0])

    def near(self, value: float, by: float) -> float:
        return value + self.uniform(-by, by)

    def whole(self, low: int, high: int) -> int:
        """A whole number, low and high included."""
        return low + int(self.uniform(0, high - low + 1))

    def chance(self, probability: float) -> bool:
        return self.uniform(0, 1) < probability

    def normals(self, *shape: int) -> np.ndarray:
        """Mean 0, variance 1: the sum of four 16-bit uniforms, bell-shaped up to 3.4 sd."""
        quarters = self._raw(int(np.prod(shape))).view("<u2").reshape(-1, 4).astype(np.int64)
        total = quarters[:, 0] + quarters[:, 1] + quarters[:, 2] + quarters[:, 3]
        # A uniform on 0 .. 65535 has mean 65535 / 2 and variance (65536^2 - 1) / 12.
        deviation = np.sqrt(4 * (65536.0 * 65536.0 - 1) / 12)
        return ((total - 2 * 65535) / deviation).reshape(shape)
