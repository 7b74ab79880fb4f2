"""sambench: which way of adapting SAM to use when only a few medical volumes are labelled."""

__version__ = "0.1.0"
