"""pcapng blocks, built octet by octet, in either byte order."""

from __future__ import annotations

import struct

NRB = 4
ISB = 5
DSB = 10
CUSTOM = 0x80000BAD


def block(order: str, kind: int, body: bytes) -> bytes:
    total = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + total + body + total


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def shb(order: str, options: bytes = b"", length: int = -1) -> bytes:
    fixed = struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, length)
    return block(order, 0x0A0D0D0A, fixed + options)


def idb(order: str, linktype: int = 1, options: bytes = b"") -> bytes:
    return block(order, 1, struct.pack(f"{order}HHI", linktype, 0, 0) + options)


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


def epb(
    order: str, octets: bytes, *, interface: int = 0, ticks: int = 0, options: bytes = b""
) -> bytes:
    head = (interface, ticks >> 32, ticks & 0xFFFFFFFF, len(octets), len(octets))
    return block(order, 6, struct.pack(f"{order}5I", *head) + _padded(octets) + options)


def packet_block(order: str, octets: bytes, *, ticks: int = 0, options: bytes = b"") -> bytes:
    """The obsolete one."""
    head = (0, 0xFFFF, ticks >> 32, ticks & 0xFFFFFFFF, len(octets), len(octets))
    return block(order, 2, struct.pack(f"{order}HHIIII", *head) + _padded(octets) + options)


def spb(order: str, octets: bytes) -> bytes:
    return block(order, 3, struct.pack(f"{order}I", len(octets)) + _padded(octets))


def mixture(frames: list[bytes]) -> list[tuple[bytes, int]]:
    """Two sections of both byte orders; each part with the number of its frame, or 0.

    Takes six frames.
    """
    end = bytes(4)
    out: list[tuple[bytes, int]] = []
    number = 0
    for order, three in (("<", frames[:3]), (">", frames[3:6])):
        comment = option(order, 1, "über all".encode()) + end
        out.append((shb(order, comment, length=-1), 0))
        named = option(order, 2, b"eth<0>") + option(order, 9, b"\x09") + end
        out.append((idb(order), 0))
        out.append((idb(order, options=named), 0))
        out.append((block(order, NRB, struct.pack(f"{order}HH", 0, 0)), 0))
        out.append((block(order, DSB, struct.pack(f"{order}II", 0x544C534B, 4) + b"keys"), 0))
        flags = option(order, 2, struct.pack(f"{order}I", 2)) + end
        for at, octets in enumerate(three):
            number += 1
            ticks = 1_700_000_000_000_000 + number
            part = (
                epb(order, octets, interface=1, ticks=1000 * ticks, options=flags),
                packet_block(order, octets, ticks=ticks),
                spb(order, octets),
            )[at]
            out.append((part, number))
            out.append((block(order, CUSTOM, bytes(4 * at)), 0))
        out.append((block(order, ISB, struct.pack(f"{order}III", 0, 0, 0)), 0))
    return out
