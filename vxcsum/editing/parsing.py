"""What users write to choose frames: ranges of numbers, flows, spans of time."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vxcsum.errors import VxcsumError
from vxcsum.rules.model import address_halves

if TYPE_CHECKING:
    from collections.abc import Iterable

_LAST = (1 << 63) - 1
_END = 10**18 - 1  # no capture has so many frames
_SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_POINT = r"(\[[^]]*\]|[^:\[\]-]+):([^-]+)"
_FLOW = re.compile(f"{_END_POINT}-{_END_POINT}")
_NUMBER = re.compile(r"[0-9]{1,18}")
_SECONDS = re.compile(r"(-?)([0-9]{1,10})(?:\.([0-9]{1,9}))?")
_ISO = re.compile(r"(.*:\d\d)\.(\d{1,9})(Z|[+-]\d\d:?\d\d)?", re.ASCII)


def parse_frames(text: str) -> list[tuple[int, int]]:
    """Read ranges of frame numbers.

    Parameters
    ----------
    text : str
        ``1-10,25``; ``40-`` goes to the end, ``-10`` begins at 1.

    Returns
    -------
    list of (int, int)
        First and last frame of each range, in order and without overlap.

    Raises
    ------
    VxcsumError
        It is none.

    Examples
    --------
    >>> parse_frames("25,1-10,8-12")
    [(1, 12), (25, 25)]
    """
    ranges = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        ends = [first or "1", last if dash else first]
        if dash and first and not last:
            ends[1] = str(_END)
        if not (first or last) or not all(_NUMBER.fullmatch(end) for end in ends):
            problem = f"{part.strip()!r} is no range of frames: wanted such as 7, 1-10, 40- or -10"
            raise VxcsumError(problem)
        low, high = int(ends[0]), int(ends[1])
        if low < 1 or high < low:
            problem = f"{part.strip()!r} is an empty range of frames: they count from 1 upwards"
            raise VxcsumError(problem)
        ranges.append((low, high))
    return joined(ranges)


def joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges in order, those joined that touch."""
    out: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return out


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port; None stands for any."""

    address: tuple[int, int] | None
    port: int | None


@dataclass(frozen=True, slots=True)
class Flow:
    """Two endpoints; frames go from either to the other."""

    one: Endpoint
    other: Endpoint


def parse_flow(text: str) -> Flow:
    """Read a flow.

    Parameters
    ----------
    text : str
        ``ADDRESS:PORT-ADDRESS:PORT``, IPv6 in brackets; ``*`` for any address or port.

    Raises
    ------
    VxcsumError
        It is none.

    Examples
    --------
    >>> parse_flow("10.1.0.5:80-[fd00::1]:*").other.port is None
    True
    """
    found = _FLOW.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        ends = [Endpoint(_address(found[n]), _port(found[n + 1])) for n in (1, 3)]
    except ValueError:
        problem = (
            f"{text!r} is no flow: wanted ADDRESS:PORT-ADDRESS:PORT, such as "
            "10.244.1.5:40000-10.244.2.5:80 or [fd00::1]:*-[fd00::2]:443"
        )
        raise VxcsumError(problem) from None
    return Flow(*ends)


def _address(text: str) -> tuple[int, int] | None:
    if text == "*":
        return None
    bare = text.removeprefix("[").removesuffix("]")
    if (bare != text) != (ipaddress.ip_address(bare).version == 6):
        raise ValueError
    return address_halves(bare)


def _port(text: str) -> int | None:
    if text == "*":
        return None
    if not _NUMBER.fullmatch(text) or int(text) > 0xFFFF:
        raise ValueError
    return int(text)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in nanoseconds: since 1970 UTC, or since the capture's first frame."""

    nanoseconds: int
    relative: bool


def parse_time(text: str) -> tuple[Moment | None, Moment | None]:
    """Read a span of time.

    Parameters
    ----------
    text : str
        ``FROM..TO``, both within it: ISO 8601 (UTC unless it says otherwise), or seconds after the
        first frame. Either end may be left out.

    Raises
    ------
    VxcsumError
        It is none.

    Examples
    --------
    >>> parse_time("1.5..")[0]
    Moment(nanoseconds=1500000000, relative=True)
    """
    first, dots, last = text.partition("..")
    try:
        if not dots or not (first.strip() or last.strip()):
            raise ValueError
        start, stop = (_moment(part.strip()) if part.strip() else None for part in (first, last))
    except (ValueError, OverflowError):
        problem = (
            f"{text!r} is no span of time: wanted FROM..TO, each a time such as "
            "2026-11-23T02:50:14.5Z or seconds after the first frame such as 12.5; one may be "
            "left out"
        )
        raise VxcsumError(problem) from None
    if start and stop and start.relative == stop.relative and start.nanoseconds > stop.nanoseconds:
        problem = f"{text!r} is an empty span of time: it ends before it begins"
        raise VxcsumError(problem)
    return start, stop


def _moment(text: str) -> Moment:
    seconds = _SECONDS.fullmatch(text)
    if seconds is not None:
        value = int(seconds[2]) * _SECOND + int((seconds[3] or "").ljust(9, "0"))
        return Moment(-value if seconds[1] else value, relative=True)
    fraction = 0
    digits = _ISO.fullmatch(text)  # datetime has six digits, captures have nine
    if digits is not None:
        fraction = int(digits[2].ljust(9, "0"))
        text = digits[1] + (digits[3] or "")
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    value = (time - _EPOCH) // timedelta(microseconds=1) * 1000 + fraction
    if not -(1 << 63) <= value <= _LAST:
        raise ValueError
    return Moment(value, relative=False)
