"""Writing captures: chosen frames of one (`extract`), or one with right checksums (`repair`)."""

from __future__ import annotations

from vxcsum.editing.extraction import Extraction, extract
from vxcsum.editing.filters import display_filter
from vxcsum.editing.repairing import Repair, repair

__all__ = ["Extraction", "Repair", "display_filter", "extract", "repair"]
