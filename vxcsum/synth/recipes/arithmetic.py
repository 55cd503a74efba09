"""VX501 to VX509: arithmetic mistakes of software that encapsulates."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from vxcsum.synth.packet import (
    ICMPV6,
    TCP,
    UDP,
    Packet,
)
from vxcsum.synth.recipes.mistakes import (
    routes,
    with_options_header,
)
from vxcsum.synth.recipes.recipe import (
    from_a,
    mark,
    recipe,
    tcp_a,
    traffic,
)
from vxcsum.synth.sums import (
    Routine,
    none,
    ones_sum,
    right,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def swapped(pseudo: bytes, segment: bytes) -> int:
    """The octets of the field swapped."""
    value = right(pseudo, segment)
    return (value & 0xFF) << 8 | value >> 8


def odd_in_low_half(pseudo: bytes, segment: bytes) -> int:
    """The last octet of an odd segment in the low half of its word."""
    if len(segment) % 2:
        segment = segment[:-1] + b"\0" + segment[-1:]
    return right(pseudo, segment)


def field_not_zeroed(pseudo: bytes, segment: bytes) -> int:
    """The pseudo-header sum, left in the field, counted in."""
    return right(pseudo + struct.pack(">H", ones_sum(pseudo)), segment)


def not_complemented(pseudo: bytes, segment: bytes) -> int:
    """The sum itself."""
    return ones_sum(pseudo + segment)


def carries_lost(pseudo: bytes, segment: bytes) -> int:
    """Carries beyond 16 bits cut off."""
    data = pseudo + segment + bytes(len(segment) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    return 0xFFFF - total % 0x10000


def no_pseudo_header(_pseudo: bytes, segment: bytes) -> int:
    """Summed without a pseudo-header."""
    return right(b"", segment)


def length_of(wrong: Callable[[int], int]) -> Routine:
    """Another length in the pseudo-header."""

    def routine(pseudo: bytes, segment: bytes) -> int:
        return right(pseudo[:-8] + struct.pack(">I", wrong(len(segment))) + pseudo[-4:], segment)

    return routine


def protocol_of(wrong: int) -> Routine:
    """Another protocol number in the pseudo-header."""
    return lambda pseudo, segment: right(pseudo[:-4] + struct.pack(">I", wrong), segment)


def mistake(
    code: str,
    name: str,
    about: str,
    seed: int,
    routine: Routine,
    *,
    level: str = "outer",
    **more: Any,
) -> None:
    """Register captures in which one side computes checksums in a wrong way."""
    options = {
        k: more.pop(k) for k in ("version", "outer_version", "parity", "rounds") if k in more
    }
    where = more.pop("where", None)

    def make(base: int) -> list[Packet]:
        outer = right if level == "outer" or seed % 2 == 0 else none
        t = traffic(base + seed, outer=outer, **{"rounds": 2, **options})
        out = []
        for p in t.packets:
            hit = from_a(p) and (where is None or where(p))
            if level != "outer":
                hit = hit and p.protocol in (TCP, UDP, ICMPV6)
            if not hit:
                q = p
            elif level == "outer":
                q = p.but(outer=routine)
            else:
                q = p.but(inner=routine)
            if level == "plain":
                q = q.but(plain=True)
            out.append(mark(q, code) if hit else q)
        return out

    make.__doc__ = about
    recipe(name, **more)(make)


_ARITHMETIC: tuple[tuple[str, Routine, str, tuple[str, ...], dict[str, list[Any]]], ...] = (
    ("VX501", swapped, "octets swapped", ("VX504", "VX602"), {}),
    ("VX503", field_not_zeroed, "the old pseudo-header sum counted in", ("VX506", "VX201"), {}),
    ("VX504", not_complemented, "the complement forgotten", ("VX501", "VX201"), {}),
    ("VX505", carries_lost, "carries cut off", ("VX507", "VX509", "VX502"), {}),
    ("VX506", no_pseudo_header, "no pseudo-header", ("VX503", "VX508"), {}),
    ("VX507", length_of(lambda _: 0), "length 0", ("VX506", "VX304"), {"length_used": [0]}),
)
for _number, (_code, _routine, _what, _like, _values) in enumerate(_ARITHMETIC):
    _low = _code.lower()
    for _offset, _level in enumerate(("outer", "inner", "plain")):
        if _level == "plain" and _code != "VX505":
            continue
        _suffix = "" if _level == "outer" else f"-{_level}"
        mistake(
            _code,
            f"{_low}{_suffix}",
            f"The {_level} checksum: {_what}.",
            200 + 10 * _number + _offset,
            _routine,
            level=_level,
            rounds=2 if _code == "VX505" else 1,
            unfit=("plain",) if _level == "plain" else (),
            resembles=_like,
            recovered=_values,
        )
    if _code in ("VX501", "VX505", "VX507"):
        mistake(
            _code,
            f"{_low}-ipv6",
            f"Over IPv6, the inner checksum: {_what}.",
            205 + 10 * _number,
            _routine,
            level="inner",
            version=6,
            resembles=_like,
            recovered=_values,
        )

mistake(
    "VX502",
    "vx502",
    "The last octet of odd packets in the low half, outer checksum, odd packets only.",
    270,
    odd_in_low_half,
    parity=1,
    resembles=("VX505", "VX304"),
)
mistake(
    "VX502",
    "vx502-inner",
    "The last octet of odd packets in the low half, inner checksum; even packets are right.",
    273,
    odd_in_low_half,
    level="inner",
    rounds=3,
    parity=1,
    resembles=("VX505", "VX304"),
)
mistake(
    "VX502",
    "vx502-ipv6",
    "The last octet of odd packets in the low half, outer IPv6.",
    272,
    odd_in_low_half,
    parity=1,
    outer_version=6,
    resembles=("VX505",),
)
for _seed, _name, _off_by, _about in (
    (280, "vx507-total", 20, "the total length of the IPv4 packet"),
    (281, "vx507-payload", -8, "the length of the payload of UDP"),
    (282, "vx507-frame", 34, "the length of the frame"),
):
    mistake(
        "VX507",
        _name,
        f"The pseudo-header has {_about}.",
        _seed,
        length_of(_off_by.__add__),
        rounds=1,
        resembles=("VX509", "VX304", "VX505"),
        recovered={"length_off_by": [_off_by]},
    )
mistake(
    "VX509",
    "vx509",
    "The pseudo-header of the outer UDP has the number of TCP.",
    290,
    protocol_of(6),
    rounds=1,
    resembles=("VX507", "VX505"),
    recovered={"protocol_used": [6]},
)
mistake(
    "VX509",
    "vx509-inner",
    "The pseudo-header of the inner TCP has the number of UDP.",
    291,
    protocol_of(17),
    level="inner",
    where=lambda p: p.protocol == TCP,
    resembles=("VX507", "VX505", "VX302"),
    recovered={"protocol_used": [17]},
)


@recipe("vx509-extension", recovered={"protocol_used": [60]}, resembles=("VX507", "VX508"))
def vx509_extension(base: int) -> list[Packet]:
    """Destination options before TCP, and their number in the pseudo-header."""
    t = traffic(base + 292, rounds=2, version=6)
    return [
        mark(with_options_header(p).but(inner=protocol_of(60)), "VX509") if tcp_a(p) else p
        for p in t.packets
    ]


@recipe("vx508", resembles=("VX302", "VX506", "VX509"))
def vx508(base: int) -> list[Packet]:
    """An IPv6 routing header with a stop left, and that stop in the pseudo-header."""
    return routes(base + 300, "fd00:10:7::77", wrong=True, version=6)


@recipe("vx508-ipv4", resembles=("VX302", "VX506"))
def vx508_ipv4(base: int) -> list[Packet]:
    """A loose source route of IPv4 with a stop left, and that stop in the pseudo-header."""
    return routes(base + 301, "10.9.8.7", wrong=True, version=4)
