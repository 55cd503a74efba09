"""Everything renumbered, and every checksum with it: what was wrong stays as wrong as it was.

Each address of a host gets 0x0101 added to one of its words. Differences between addresses stay, so
a translation in the capture is the same translation between other addresses.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from edits import ICMP, TCP, UDP, Ip, State, edited_by, is_special, layout, ones_sum

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHIFT = 0x0101


def renumbered(data: bytes) -> bytes:
    """The file with all addresses moved by one number, and every residual as it was."""
    return edited_by(data, renumber)


def renumber(frame: bytearray, linktype: int, state: State) -> None:
    ips = layout(frame, linktype).ips
    before = [(_is_unfinished(frame, ip), _sums_up(frame, ip)) for ip in ips]
    moves = [_move(frame, ip) for ip in ips]
    _follow(frame, ips, before, moves)


def _follow(
    frame: bytearray, ips: Sequence[Ip], before: Sequence[tuple[bool, bool]], moves: Sequence[int]
) -> None:
    """Change the checksums from the inside out.

    ``as_is`` is by how much the sum of the carried packet changed, ``as_finished`` by how much once
    its unfinished checksum is finished: local checksum offload counts on that.
    """
    as_is = as_finished = 0
    inside_unfinished = False
    for ip, (unfinished, sums_up), move in reversed(list(zip(ips, before, moves, strict=True))):
        pseudo = 0 if ip.protocol == ICMP else move
        at = ip.checksum
        change = will_be = 0
        if at is not None and at + 2 <= min(len(frame), ip.end) and not _is_absent(frame, ip, at):
            counted = as_finished if inside_unfinished and not sums_up else as_is
            will_be = -pseudo - counted
            change = pseudo if unfinished else will_be
            as_wanted = 0xFFFF if unfinished or ip.protocol == UDP else 0
            _add(frame, at, change, zero=as_wanted)
        header = 0
        if ip.version == 4 and any(frame[ip.at + 10 : ip.at + 12]):
            _add(frame, ip.at + 10, -move, zero=0)
        else:
            header = move
        as_is, as_finished = header + as_is + change, header + as_finished + will_be
        inside_unfinished = unfinished


def _is_absent(frame: bytearray, ip: Ip, at: int) -> bool:
    return ip.protocol == UDP and frame[at : at + 2] == bytes(2)


def _add(frame: bytearray, at: int, change: int, *, zero: int) -> None:
    """Change a field modulo 0xffff, where 0 and 0xffff are the same; ``zero`` is which to write."""
    if change % 0xFFFF:
        new = (int.from_bytes(frame[at : at + 2], "big") + change) % 0xFFFF or zero
        frame[at : at + 2] = new.to_bytes(2, "big")


def _move(frame: bytearray, ip: Ip) -> int:
    """Move the addresses of a header; returns by how much their sum changed."""
    total = 0
    for at in ip.addresses:
        if not is_special(bytes(frame[at : at + ip.width])):
            place = at if ip.version == 4 else at + 4
            old = int.from_bytes(frame[place : place + 2], "big")
            new = (old + _SHIFT) & 0xFFFF
            frame[place : place + 2] = new.to_bytes(2, "big")
            total += new - old
    return total


def _length(frame: bytearray, ip: Ip) -> int:
    """The length of what an IP packet carries, as its header tells it."""
    start = ip.at + 2 if ip.version == 4 else ip.at + 4
    told = int.from_bytes(frame[start : start + 2], "big")
    if not told:
        return ip.end - ip.l4
    return max(0, told - (ip.l4 - ip.at) + (0 if ip.version == 4 else 40))


def _pseudo(frame: bytearray, ip: Ip, length: int) -> int:
    first, _ = ip.addresses
    octets = bytes(frame[first : first + 2 * ip.width])
    return ones_sum(octets + struct.pack(">II", length, ip.protocol))


def _is_unfinished(frame: bytearray, ip: Ip) -> bool:
    at = ip.checksum
    if at is None or ip.protocol not in (TCP, UDP) or at + 2 > len(frame):
        return False
    length = _length(frame, ip)
    if ip.protocol == UDP:  # that of a fragment is of its datagram
        length = int.from_bytes(frame[ip.l4 + 4 : ip.l4 + 6], "big") or length
    found = int.from_bytes(frame[at : at + 2], "big") % 0xFFFF
    return found in {_pseudo(frame, ip, length) % 0xFFFF, _pseudo(frame, ip, 0) % 0xFFFF}


def _sums_up(frame: bytearray, ip: Ip) -> bool:
    """Whether a checksum is right for the octets as they are."""
    length = _length(frame, ip)
    if ip.checksum is None or ip.l4 + length > len(frame):
        return False
    pseudo = 0 if ip.protocol == ICMP else _pseudo(frame, ip, length)
    total = pseudo + ones_sum(frame[ip.l4 : ip.l4 + length])
    return total % 0xFFFF == 0
