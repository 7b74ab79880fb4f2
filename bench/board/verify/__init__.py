"""Are records what the committed code, cards and splits could have given?"""

from bench.board.verify.verifying import Verified, verify

__all__ = ["Verified", "verify"]
