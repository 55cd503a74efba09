"""Capture files: pcap and pcapng containers to an index of frames.

This floor finds the frames and knows nothing of what is in them.
"""

from __future__ import annotations

from .frames import (
    MAX_CAPLEN,
    MAX_FRAMES_PER_BLOCK,
    SLACK,
    FrameBlock,
    Interface,
)
from .opening import open_capture
from .reader import CaptureReader, Index
from .stretches import Stretch, Stretches

__all__ = [
    "MAX_CAPLEN",
    "MAX_FRAMES_PER_BLOCK",
    "SLACK",
    "CaptureReader",
    "FrameBlock",
    "Index",
    "Interface",
    "Stretch",
    "Stretches",
    "open_capture",
]
