"""VX106: tunnel packets that software segmented twice.

A superframe is cut into packets of up to 17 segments, whose outer checksum is finished, and each of
these is cut again by code that takes the finished checksum for the sum of a pseudo-header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.synth.packet import ACK, FIN, PSH
from vxcsum.synth.recipes.recipe import mark, recipe
from vxcsum.synth.sums import ones_sum
from vxcsum.synth.traffic import Traffic

if TYPE_CHECKING:
    from vxcsum.synth.packet import Packet
    from vxcsum.synth.sums import Routine

#: Segments of a packet between the passes: MAX_SKB_FRAGS.
_PIECE = 17
#: Superframes of fewer are cut in one pass.
_TWICE_FROM = 2 * _PIECE
_BETWEEN = 20e-6  # seconds, from one segment of a burst to the next
_LIKE = ("VX102", "VX104", "VX306", "VX600", "VX601")


def cut_again(whole: int, version: int) -> Routine:
    """The checksum of a segment of a packet whose UDP length was ``whole``.

    The length counts three times where IPv6 is inside: its header has no checksum that takes one
    of them away.
    """
    times = 2 if version == 4 else 3

    def routine(pseudo: bytes, segment: bytes) -> int:
        return (ones_sum(pseudo) + times * (whole - len(segment))) % 0xFFFF or 0xFFFF

    return routine


class _Transfer:
    """A connection over which pod A sends much, and what is seen of it on the wire."""

    def __init__(self, seed: int, version: int = 4, outer_version: int = 4) -> None:
        self.t = Traffic(seed, version=version, outer_version=outer_version)
        self.version = version
        self.t.arp()
        self.t.ping(2)
        self.t.dns(1)
        self.size = self.t.size(64, 100)  # of the payload of a segment; the formula knows no size
        self.port, self.seq, self.answered = self.t.dialogue(1)

    def _send(self, flags: int, payload: bytes = b"", *, at: int = 0, wait: float = 0.0) -> Packet:
        ports, seq = (self.port, 443), self.seq + at
        return self.t.tcp(*ports, flags, payload, seq=seq, ack=self.answered, wait=wait)

    def acknowledge(self, octets: int = 0) -> None:
        """Let pod B acknowledge octets that follow those it has acknowledged."""
        self.seq += octets
        self.t.tcp(self.port, 443, ACK, seq=self.answered, ack=self.seq, back=True)

    def burst(self, payload: bytes, *, pause: float = 0.0) -> list[int]:
        """Send what a superframe is cut into, and return the rows of its segments."""
        first = len(self.t.packets)
        for at in range(0, len(payload), self.size):
            last = at + self.size >= len(payload)
            wait = _BETWEEN if at else pause
            part = payload[at : at + self.size]
            self._send(PSH | ACK if last else ACK, part, at=at, wait=wait)
        return list(range(first, len(self.t.packets)))

    def spoil(self, rows: list[int]) -> None:
        """Cut again what the first pass made of a superframe."""
        packets = self.t.packets
        if len(rows) < _TWICE_FROM:
            return
        for at in range(0, len(rows), _PIECE):
            piece = rows[at : at + _PIECE]
            if len(piece) == 1:  # nothing to cut
                continue
            headers = 30 + (20 if self.version == 4 else 40) + 20
            whole = headers + sum(len(packets[row].payload) for row in piece)
            for row in piece:
                wrong = packets[row].but(outer=cut_again(whole, self.version))
                packets[row] = mark(wrong, "VX106")

    def lose(self, payload: bytes) -> None:
        """Send a superframe whose wrong segments are thrown away, and its octets again."""
        rows = self.burst(payload)
        self.spoil(rows)
        if not all(self.t.packets[row].marks for row in rows):
            self.acknowledge()
        count, pause = 1, 0.21
        while payload:  # as the window opens again
            part, payload = payload[: count * self.size], payload[count * self.size :]
            self.burst(part, pause=pause)
            self.acknowledge(len(part))
            count, pause = min(2 * count, _PIECE), 0.0

    def end(self) -> list[Packet]:
        """End the connection, and return all packets."""
        self._send(FIN | ACK)
        ports, seq = (self.port, 443), self.answered
        self.t.tcp(*ports, FIN | ACK, seq=seq, ack=self.seq + 1, back=True)
        self.t.ping(1)
        return self.t.packets

    def random(self, segments: int, short: int = 0) -> bytes:
        """Return octets for some segments, the last of them shorter."""
        return self.t.random(segments * self.size - short)


def _twice(seed: int, *bursts: tuple[int, int], **versions: int) -> list[Packet]:
    """A transfer of superframes that are cut twice: full packets of 17 segments, and others."""
    transfer = _Transfer(seed, **versions)
    first = transfer.random(5)
    transfer.burst(first)
    transfer.acknowledge(len(first))
    for full, rest in bursts:
        short = transfer.t.size(5, 60) if rest else 0
        transfer.lose(transfer.random(full * _PIECE + rest, short))
    return transfer.end()


@recipe("vx106", resembles=_LIKE)
def vx106(base: int) -> list[Packet]:
    """Outer checksums on, a forwarded bulk transfer: the segments of superframes of 34 segments and
    more are wrong, and right when they are sent again in smaller ones; all else is right.
    """
    return _twice(base + 540, (2, 4), (2, 7))


@recipe("vx106-ipv6", resembles=(*_LIKE, "VX305"))
def vx106_ipv6(base: int) -> list[Packet]:
    """The same with IPv6 inside, where the length counts three times."""
    return _twice(base + 541, (2, 3), version=6)


@recipe("vx106-outer6", resembles=_LIKE)
def vx106_outer6(base: int) -> list[Packet]:
    """The same over IPv6; a remainder of a single segment is right."""
    return _twice(base + 542, (2, 1), outer_version=6)


@recipe("vx106-one-burst", resembles=(*_LIKE, "VX105"))
def vx106_one_burst(base: int) -> list[Packet]:
    """One superframe of 34 full segments: all are off by the same."""
    return _twice(base + 543, (2, 0))


@recipe("like-vx106-tso-off", resembles=("VX106", "VX102", "VX306"))
def like_vx106_tso_off(base: int) -> list[Packet]:
    """The same transfer where the tunnel device is given segments: all right."""
    transfer = _Transfer(base + 544)
    for segments in (5, 38):
        payload = transfer.random(segments, transfer.t.size(5, 60))
        transfer.burst(payload)
        transfer.acknowledge(len(payload))
    return transfer.end()
