"""Records -> one HTML file that a person reads: no network, no torch."""

from bench.report.making import ReportSummary, write_report

__all__ = ["ReportSummary", "write_report"]
