"""Seeing a data set: statistics in constant memory, doubtful rows, and one page that shows them."""

from maskkit.report.doubtful import RULES, DoubtfulRow
from maskkit.report.inspection import Inspection, inspect_shards
from maskkit.report.page import write_report
from maskkit.report.statistics import EXPECTED_AREAS, SplitStatistics

__all__ = [
    "EXPECTED_AREAS",
    "RULES",
    "DoubtfulRow",
    "Inspection",
    "SplitStatistics",
    "inspect_shards",
    "write_report",
]
