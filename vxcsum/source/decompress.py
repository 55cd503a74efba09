"""Decompression in bounded memory, delivering whatever could be decoded.

The compression is told by the first octets of the stream, never by a name:

========  =========================================================
gzip      ``1f 8b 08``                                 RFC 1952
zstd      ``28 b5 2f fd``, or a skippable frame        RFC 8878
xz        ``fd 37 7a 58 5a 00``
lz4       ``04 22 4d 18``                              frame format
========  =========================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vxcsum import _optional

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAGIC_OCTETS", "Decoder", "compression_of"]

MAGIC_OCTETS = 6
"""Octets needed to tell a compression."""

_INPUT_OCTETS = 1 << 15
_OUTPUT_OCTETS = 1 << 20
_SLICE_OCTETS = 1 << 12
_XZ_MEMORY_OCTETS = 256 << 20


def compression_of(head: bytes) -> str | None:
    """Tell the compression of a stream by its first octets.

    Parameters
    ----------
    head : bytes
        The first `MAGIC_OCTETS` octets, or all there are.

    Returns
    -------
    str or None
        "gzip", "zstd", "xz", "lz4", or None where the octets are none of these.
    """
    if head.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz"
    if head.startswith(b"\x04\x22\x4d\x18"):
        return "lz4"
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return "zstd"
    # lz4 has the same skippable frames, but only zstd writers are known to begin with one
    if len(head) >= 4 and head[0] >> 4 == 5 and head[1:4] == b"\x2a\x4d\x18":
        return "zstd"
    return None


class _GzipMember:
    """One gzip member, with the methods which the other decompressors have.

    Where a member is corrupt, `decompress` gives what precedes the corrupt octet first and
    raises when called again.
    """

    def __init__(self) -> None:
        import zlib  # most captures are not compressed

        self._failure = zlib.error
        self._inflate = zlib.decompressobj(wbits=31)
        self._error: Exception | None = None

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    @property
    def needs_input(self) -> bool:
        return self._error is None and not self._inflate.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if self._error is not None:
            raise self._error
        data = self._inflate.unconsumed_tail + data
        before = self._inflate.copy()
        try:
            return self._inflate.decompress(data, max_length)
        except self._failure as error:
            self._error = error
        # zlib keeps the output of a failed call: go again, octet by octet, up to the failure
        salvaged = bytearray()
        try:
            for at in range(len(data)):
                salvaged += before.decompress(data[at : at + 1], max_length - len(salvaged))
                if len(salvaged) >= max_length:
                    break
        except self._failure:
            pass
        if not salvaged:
            raise self._error
        return bytes(salvaged)


def _frame_maker(compression: str) -> Callable[[], Any]:
    if compression == "gzip":
        return _GzipMember
    if compression == "xz":
        import lzma  # most captures are not compressed

        return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_OCTETS)
    module: Any
    if compression == "zstd":
        module = _optional.zstd()
        return lambda: module.ZstdDecompressor()
    module = _optional.lz4_frame()
    return lambda: module.LZ4FrameDecompressor()


class Decoder:
    """Decompress a stream of one or more frames (gzip members, xz streams).

    Parameters
    ----------
    compression : str
        One of the results of `compression_of`.
    read : callable
        Reads octets into a memoryview and returns their number, 0 at the end.

    Attributes
    ----------
    damage : str or None
        Why the stream ended before it was complete.

    Raises
    ------
    MissingDependencyError
        If the compression needs a library which is not installed.
    """

    def __init__(self, compression: str, read: Callable[[memoryview], int]) -> None:
        self.damage: str | None = None
        self._compression = compression
        self._read = read
        self._new_frame = _frame_maker(compression)
        self._frame: Any = None
        self._frames = 0
        self._consumed = 0
        self._produced = False
        self._dry = False
        self._buffer = memoryview(bytearray(_INPUT_OCTETS))
        self._pending: memoryview | bytes = b""
        self._short_read = False
        self._ended = False

    def readinto(self, view: memoryview) -> int:
        """Decompress into `view` until it is full, or a live input has no more for now.

        Parameters
        ----------
        view : memoryview
            Writable octets.

        Returns
        -------
        int
            Octets written, 0 only at the end of the stream.
        """
        filled = 0
        while filled < len(view) and not self._ended:
            octets = self._step(min(len(view) - filled, _OUTPUT_OCTETS))
            view[filled : filled + len(octets)] = octets
            filled += len(octets)
            if filled and self._short_read and not self._pending:
                break
        return filled

    def _step(self, limit: int) -> bytes:
        if self._frame is None and not self._begin_frame():
            self._ended = True
            return b""
        data = b""
        at_end = False
        if self._frame.needs_input or self._dry:
            data = self._take()
            at_end = not data
        try:
            octets: bytes = self._frame.decompress(data, limit)
        except Exception as error:  # each library has its own, lz4 plain RuntimeError
            self._end(self._describe(error))
            return b""
        self._produced = self._produced or bool(octets)
        if self._frame.eof:
            # lz4 has None where nothing is left
            self._pending = (self._frame.unused_data or b"") + bytes(self._pending)
            self._frame = None
            self._dry = False
        elif at_end and not octets:
            self._end(f"{self._compression} stream ends early")
        else:
            self._dry = not octets
        return octets

    def _begin_frame(self) -> bool:
        """Begin the next frame, if there is one; zero octets between frames are padding."""
        while True:
            if not self._pending and not self._fetch():
                return False
            if self._pending[0] == 0 and self._frames:
                self._pending = bytes(self._pending).lstrip(b"\0")
            if self._pending:
                break
        self._frame = self._new_frame()
        self._frames += 1
        self._consumed = 0
        self._produced = False
        return True

    def _fetch(self) -> bool:
        count = self._read(self._buffer)
        self._short_read = count < len(self._buffer)
        self._pending = self._buffer[:count]
        return count > 0

    def _take(self) -> bytes:
        if not self._pending and not self._fetch():
            return b""
        size = len(self._pending)
        if self._compression != "gzip":
            # the output of a failing call is lost, so little input is risked at once
            size = min(size, _SLICE_OCTETS, 16 + self._consumed // 16)
        data = bytes(self._pending[:size])
        self._pending = self._pending[size:]
        self._consumed += size
        return data

    def _describe(self, error: Exception) -> str:
        if self._frames > 1 and not self._produced:
            return f"octets which are not {self._compression} follow the {self._compression} stream"
        reason = " ".join(str(error).split()) or type(error).__name__
        return f"{self._compression} stream is corrupt ({reason})"

    def _end(self, damage: str) -> None:
        self.damage = damage
        self._ended = True
