"""Where octets come from: files, pipes, URLs and memory, compressed or not.

This floor gives octets and knows nothing of what they mean.
"""

from __future__ import annotations

from .opening import Source, StreamIterator, open_streams
from .stream import OctetStream

__all__ = ["OctetStream", "Source", "StreamIterator", "open_streams"]
