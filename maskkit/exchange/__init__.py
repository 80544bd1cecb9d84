"""Masks to and from other projects: shards out to their formats, their data sets into shards (docs/exchange.md)."""

from maskkit.exchange.exporting import EXPORT_FORMATS, ExportResult, export_shards
from maskkit.exchange.import_options import ImportOptions
from maskkit.exchange.importing import IMPORT_FORMATS, ImportResult, import_masks

__all__ = [
    "EXPORT_FORMATS",
    "IMPORT_FORMATS",
    "ExportResult",
    "ImportOptions",
    "ImportResult",
    "export_shards",
    "import_masks",
]
