"""Are records what the committed code, cards and splits could have given?"""

from bench.verify.verifying import Verified, verify

__all__ = ["Verified", "verify"]
