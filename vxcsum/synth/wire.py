"""What is wrong on the wire, whatever was done to it.

A mistake can leave a checksum as it was: two addresses may have the same sum. About one frame in
65,535 is right by such a chance, and the truth about a large capture must not call it wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.synth.packet import ARP, ETHERNET, ICMP, SLL, SLL2, UDP, framed
from vxcsum.synth.sums import none, partial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vxcsum.synth.packet import Packet

#: Rules whose marks say that a checksum is wrong.
_WRONG = ("VX1", "VX3", "VX5", "VX6", "VX908")
_LINK_OCTETS = {ETHERNET: 14, SLL: 16, SLL2: 20}
_EMPTY = b"\0\0"


def truthful(p: Packet, frames: Sequence[bytes], linktype: int) -> Packet:
    """Return a packet without those of its marks that its frames do not bear out."""
    if not any(_says_wrong(code) for code in p.marks):
        return p
    if p.fragments:
        frames = framed(p.but(fragments=False), linktype)
    if not is_right(p, frames[0], linktype):
        return p
    return p.but(marks={code: said for code, said in p.marks.items() if not _says_wrong(code)})


def _says_wrong(code: str) -> bool:
    return code.startswith(_WRONG)


def is_right(p: Packet, frame: bytes, linktype: int) -> bool:
    """Tell whether all checksums of a frame are right once devices finished what is left to them.

    Parameters
    ----------
    p : Packet
        What the frame was made of: its structure, and what is left to devices. Addresses and
        checksums are those of the octets, which may have been edited.
    frame : bytes
        Whole, not cut.
    linktype : int
    """
    at = _LINK_OCTETS[linktype] + (4 * len(p.tags) if linktype == ETHERNET else 0)
    carrying, udp = 0, 0
    if not p.plain:
        carrying, udp = at, at + (20 if len(p.node_src) == 4 else 40)
        at = udp + 30
        if not _header_is_right(frame[carrying:udp], left=p.header is none):
            return False
    inner = 0
    if p.protocol != ARP:
        four, more = len(p.src) == 4, sum(1 + len(octets) for _, octets in p.extensions)
        start = at + (20 + len(p.options) if four else 40 + more)
        left = (p.header if p.plain else p.inner_header) is none
        if four and not _header_is_right(frame[at:start], left=left):
            return False
        segment = frame[start : start + len(p.segment)]
        if p.protocol != UDP or segment[6:8] != _EMPTY:
            inner = _rest(segment)
            if p.protocol != ICMP:
                inner += _pseudo(frame, at, p.final, p.protocol, len(segment))
            inner %= 0xFFFF
        if inner and p.inner is not partial:
            return False
    if p.plain or p.outer is partial:
        return True
    datagram = frame[udp : len(frame) - len(p.trailer)]
    if datagram[6:8] == _EMPTY:
        return True
    outer = _rest(datagram) + _pseudo(frame, carrying, None, UDP, len(datagram))
    return (outer - inner) % 0xFFFF == 0  # finishing the inner one takes away what it lacks


def _header_is_right(header: bytes, *, left: bool) -> bool:
    """Tell whether an IPv4 header is right, or left to a device; IPv6 has no checksum."""
    return left or header[0] >> 4 == 6 or _rest(header) == 0


def _pseudo(frame: bytes, at: int, final: bytes | None, protocol: int, length: int) -> int:
    """Return the sum of the pseudo-header for the IP header at a place of a frame."""
    addresses = frame[at + 12 : at + 20] if frame[at] >> 4 == 4 else frame[at + 8 : at + 40]
    if final:
        addresses = addresses[: -len(final)] + final
    return _rest(addresses) + length + protocol


def _rest(data: bytes) -> int:
    """Return what is left of the sum of 16-bit words modulo 0xffff."""
    whole = int.from_bytes(data, "big")
    return (whole << 8 if len(data) % 2 else whole) % 0xFFFF
