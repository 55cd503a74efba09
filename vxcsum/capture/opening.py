"""Telling what a stream holds, and choosing who reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.errors import CaptureError

from . import indexing
from .pcap import FILE_HEADER, MAGICS, PcapReader
from .pcapng import MIN_SECTION_HEADER, SECTION_MAGIC, PcapngReader, byte_order_of
from .window import Window

if TYPE_CHECKING:
    from vxcsum.source import OctetStream

    from .reader import CaptureReader, Index

__all__ = ["open_capture"]

_SMALLEST_WINDOW = 64
_WANTED = "wanted: pcap or pcapng, plain or compressed with gzip, zstd, xz or lz4"

_KNOWN_OTHERS = (
    (b"snoop\0\0\0", "a snoop capture"),
    (b"iptrace ", "an AIX iptrace capture"),
    (b"btsnoop\0", "a btsnoop capture"),
    (b"TRSNIFF data", "a Sniffer capture"),
    (b"XCP\0", "a NetXRay capture"),
    (b"RTSS", "a Network Monitor capture"),
    (b"GMBU", "a Network Monitor capture"),
    (b"\x7fVR", "an EtherPeek capture"),
    (b"BZh", "compressed with bzip2"),
    (b"\x1f\x9d", "compressed with compress"),
    (b"\x02\x21\x4c\x18", "compressed with lz4's legacy format"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"%PDF", "a PDF"),
    (b"\x7fELF", "an ELF program"),
    (b"SQLite format 3", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
)


def open_capture(
    stream: OctetStream,
    *,
    block_octets: int = 8 << 20,
    index: Index | None = None,
    live: bool = False,
) -> CaptureReader:
    """Begin to read a capture.

    Parameters
    ----------
    stream : OctetStream
        Read to its end by the reader, not closed.
    block_octets : int, optional
        Octets of the one buffer which is kept; a single larger record makes it grow.
    index : Index, optional
        An object with ``index_pcap`` and ``index_pcapng``; `vxcsum.capture.indexing` unless
        given.
    live : bool, optional
        Whether `CaptureReader.blocks` gives the frames which are there after each read,
        rather than waiting until the buffer is full.

    Returns
    -------
    CaptureReader
        Of which the header has been read.

    Raises
    ------
    CaptureError
        If the stream holds no capture.
    MissingDependencyError
        If the stream is compressed and the library is missing.
    """
    window = Window(stream, max(block_octets, _SMALLEST_WINDOW))
    while window.available < FILE_HEADER and window.fill(FILE_HEADER, once=True):
        pass
    head = window.octets[: min(window.stop, 64)].tobytes()
    chosen: Index = indexing if index is None else index
    flavour = MAGICS.get(head[:4])
    if flavour is not None:
        if len(head) < FILE_HEADER:
            raise _too_short(stream, head, "pcap", FILE_HEADER)
        return PcapReader(stream, window, chosen, live=live, flavour=flavour)
    if head[:4] == SECTION_MAGIC:
        while window.available < MIN_SECTION_HEADER and window.fill(MIN_SECTION_HEADER, once=True):
            pass
        head = window.octets[: min(window.stop, 64)].tobytes()
        if len(head) < MIN_SECTION_HEADER:
            raise _too_short(stream, head, "pcapng", MIN_SECTION_HEADER)
        if byte_order_of(head[8:12]) is None:
            problem = f"not a pcapng: its byte-order magic is {head[8:12].hex(' ')}"
            raise CaptureError(problem, name=stream.name, offset=8)
        return PcapngReader(stream, window, chosen, live=live)
    raise CaptureError(f"not a capture: {_found(stream, head)}; {_WANTED}", name=stream.name)


def _too_short(stream: OctetStream, head: bytes, container: str, wanted: int) -> CaptureError:
    problem = f"too short for a {container}: its header has {wanted} octets, {len(head)} found"
    if stream.damage is not None:
        problem = f"{problem}; {stream.damage}"
    return CaptureError(problem, name=stream.name)


def _found(stream: OctetStream, head: bytes) -> str:
    if not head:
        return stream.damage or "it is empty"
    for magic, what in _KNOWN_OTHERS:
        if head.startswith(magic):
            return f"it is {what}"
    first = head[:8].hex(" ")
    text = head.removeprefix(b"\xef\xbb\xbf")
    if all(octet in b"\t\n\r" or 0x20 <= octet < 0x7F for octet in text):
        return f"it is plain text, beginning {text[:16].decode('ascii')!r}"
    found = f"it begins with {first}"
    return f"{found}; {stream.damage}" if stream.damage is not None else found
