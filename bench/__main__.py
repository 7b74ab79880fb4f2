"""`python -m bench VERB ...`."""

import sys

from bench.cli import entry

if __name__ == "__main__":
    sys.exit(entry())
