"""Packets that are objects already, of scapy and dpkt, as the octets of a pcapng.

So everything that reads captures reads them, too. Neither library is imported: where a packet of
scapy exists, scapy is loaded.

Sources
-------
draft-ietf-opsawg-pcapng, "Section Header Block", "Interface Description Block", "Enhanced Packet
Block".
"""

from __future__ import annotations

import operator
import os
import struct
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from vxcsum.errors import CaptureError

__all__ = ["PacketReader", "packets_of"]

_NAME = "<packets>"
_ETHERNET = 1
_SECTION = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
_NANOSECONDS = struct.pack("<HHBxxx", 9, 1, 9)  # if_tsresol
_IF_NAME, _EPB_FLAGS = 2, 2
_WANTED = "wanted: scapy packets, or pairs of a time in seconds and octets as dpkt gives them"


class _Packet(NamedTuple):
    octets: bytes
    nanoseconds: int
    origlen: int
    linktype: int = _ETHERNET
    interface: str = ""
    direction: int = 0


def packets_of(source: Any) -> PacketReader | None:
    """Return what reads packets that are objects, or None where a source is something else.

    Parameters
    ----------
    source : object
        A scapy packet; a list that begins with one, or with a pair of time and octets; any other
        iterable, such as a scapy ``PacketList``, a ``dpkt.pcap.Reader`` or a generator.
    """
    if _is_scapy(source):
        return PacketReader([source])
    if isinstance(source, (list, tuple)):
        return PacketReader(source) if source and _is_packet(source[0]) else None
    if isinstance(source, (str, bytes, bytearray, memoryview)) or hasattr(source, "read"):
        return None
    if not isinstance(source, Iterable):
        return None
    datalink = getattr(source, "datalink", None)  # of dpkt's readers
    return PacketReader(source, int(datalink()) if callable(datalink) else _ETHERNET)


class PacketReader:
    """Packets as a binary file that is read once, written as it is read.

    Parameters
    ----------
    packets : iterable
    linktype : int
        Of packets that do not tell it themselves.
    """

    name = _NAME

    def __init__(self, packets: Iterable[Any], linktype: int = _ETHERNET) -> None:
        self._packets = enumerate(packets, 1)
        self._linktype = linktype
        self._interfaces: dict[tuple[int, str], int] = {}
        self._rest = memoryview(_SECTION)

    def readinto(self, view: memoryview) -> int:
        """Write octets of the next packet into `view` and return their number, 0 at the end."""
        while not self._rest:
            number, packet = next(self._packets, (0, None))
            if not number:
                return 0
            self._rest = memoryview(self._blocks(_told(packet, number, self._linktype)))
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _blocks(self, packet: _Packet) -> bytes:
        """Return the block of a packet, and before it that of an interface seen first."""
        described = b""
        key = (packet.linktype, packet.interface)
        if key not in self._interfaces:
            self._interfaces[key] = len(self._interfaces)
            name = packet.interface.encode(errors="replace")[:255]
            options = _option(_IF_NAME, name) if name else b""
            described = _block(1, struct.pack("<HHI", key[0], 0, 0) + options + _NANOSECONDS)
        head = struct.pack(
            "<IIIII",
            self._interfaces[key],
            packet.nanoseconds >> 32,
            packet.nanoseconds & 0xFFFFFFFF,
            len(packet.octets),
            packet.origlen,
        )
        flags = _option(_EPB_FLAGS, struct.pack("<I", packet.direction))
        padding = bytes(-len(packet.octets) % 4)
        body = head + packet.octets + padding + (flags if packet.direction else b"")
        return described + _block(6, body)


def _block(kind: int, body: bytes) -> bytes:
    total = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + total + body + total


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _is_scapy(packet: Any) -> bool:
    scapy = sys.modules.get("scapy.packet")
    return scapy is not None and isinstance(packet, scapy.Packet)


def _is_pair(packet: Any) -> bool:
    return (
        isinstance(packet, (tuple, list))
        and len(packet) == 2
        and isinstance(packet[1], (bytes, bytearray, memoryview))
        and not isinstance(packet[0], (str, bytes, bytearray, memoryview))
    )


def _is_packet(packet: Any) -> bool:
    return _is_scapy(packet) or _is_pair(packet)


def _told(packet: Any, number: int, linktype: int) -> _Packet:
    if _is_scapy(packet):
        return _of_scapy(packet, number)
    if _is_pair(packet):
        octets = bytes(packet[1])
        return _Packet(octets, _nanoseconds(packet[0], number), len(octets), linktype)
    hint = "; paths are taken from a list" if isinstance(packet, (str, os.PathLike)) else ""
    problem = f"packet {number} is a {type(packet).__name__}; {_WANTED}{hint}"
    raise CaptureError(problem, name=_NAME)


def _of_scapy(packet: Any, number: int) -> _Packet:
    name = type(packet).__name__
    # scapy knows which classes are link layers
    linktype = sys.modules["scapy.config"].conf.l2types.layer2num.get(type(packet))
    if linktype is None:
        problem = f"packet {number} begins with {name}: wanted a link or IP layer, such as Ether"
        raise CaptureError(problem, name=_NAME)
    try:
        octets = bytes(packet)
    except Exception as error:  # a field may hold anything until it is built
        problem = f"packet {number} ({name}) cannot be built: {' '.join(str(error).split())}"
        raise CaptureError(problem, name=_NAME) from error
    interface = packet.sniffed_on
    return _Packet(
        octets,
        _nanoseconds(packet.time, number),
        max(int(packet.wirelen or 0), len(octets)),
        int(linktype),
        "" if interface is None else str(interface),
        packet.direction if packet.direction in (1, 2) else 0,
    )


def _nanoseconds(seconds: Any, number: int) -> int:
    """Return a time in nanoseconds, exactly: a float means the shortest number that gives it."""
    from decimal import Decimal, InvalidOperation  # captures in files need it not

    try:
        if isinstance(seconds, float):
            exact = Decimal(float.__repr__(seconds))
        else:
            exact = seconds if isinstance(seconds, Decimal) else Decimal(operator.index(seconds))
        nanoseconds = int(Decimal(exact).scaleb(9).to_integral_value())
    except (TypeError, ValueError, OverflowError, InvalidOperation):
        nanoseconds = -1
    if not 0 <= nanoseconds < 1 << 63:
        problem = f"packet {number} has the time {seconds!r}: wanted seconds since 1970"
        raise CaptureError(problem, name=_NAME)
    return nanoseconds
