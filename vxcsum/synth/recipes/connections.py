"""VX701 to VX703: what happens to connections.

The waits are those of RFC 6298, each twice the one before, or those of Linux 6.5 and later, which
begins with one second five times (tcp_syn_linear_timeouts). NAT forgets its mapping 30 s after the
last packet (nf_conntrack_udp_timeout), so the first SYN that comes later is not translated. Which
frames a finding about a connection lists is not said here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.synth.packet import ACK, FIN, PSH, SLL, SYN
from vxcsum.synth.recipes.recipe import from_a, mark, recipe
from vxcsum.synth.recipes.translation import Ports, kernel, nat
from vxcsum.synth.sums import none
from vxcsum.synth.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vxcsum.synth.packet import Packet

#: Seconds after the first SYN.
SYN_OFFSETS = (0, 1, 3, 7, 15, 31, 63)
LINEAR_OFFSETS = (0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 68)
_MSS = 1398  # of a path of 1,500 octets with VXLAN: 1,450 less IP and TCP with timestamps


def syns_at(t: Traffic, sport: int, seq: int, offsets: Sequence[float]) -> list[Packet]:
    """Add one SYN at each of some times, in seconds after the first."""
    start = t.time + 0.01
    return [t.tcp(sport, 443, SYN, seq=seq, wait=start + at - t.time) for at in offsets]


def conversation(t: Traffic, sport: int, seq: int) -> None:
    """Add what follows a SYN that got through."""
    request, answer = t.random(120), t.random(300)
    t.tcp(sport, 443, SYN | ACK, seq=9, back=True)
    t.tcp(sport, 443, ACK, seq=seq + 1)
    t.tcp(sport, 443, PSH | ACK, request, seq=seq + 1)
    t.tcp(sport, 443, PSH | ACK, answer, seq=10, back=True)
    t.tcp(sport, 443, FIN | ACK, seq=seq + 1 + len(request))
    t.tcp(sport, 443, FIN | ACK, seq=10 + len(answer), back=True)
    t.tcp(sport, 443, ACK, seq=seq + 2 + len(request))


def delayed(t: Traffic, offsets: Sequence[float], code: str, port: Ports) -> list[Packet]:
    """Add a connection that waits: all SYNs but the last are translated, the wrong way."""
    t.ping(2)
    sport, seq = t.size(32768, 60999), t.size(1, 1 << 31)
    syns = syns_at(t, sport, seq, offsets)
    lost = {id(p): mark(nat(p, kernel, sport=port(p)), code) for p in syns[:-1]}
    conversation(t, sport, seq)
    return [lost.get(id(p), p) for p in t.packets]


@recipe(
    "vx701",
    findings={"VX701": None},
    recovered={"pre_nat_source": ["192.0.2.11"]},
    resembles=("VX102", "VX702"),
)
def vx701(base: int) -> list[Packet]:
    """A connection that waits for 63 seconds: six SYNs with the 0xffff of VX101 behind one mapping,
    and a seventh that is not translated any more.
    """
    t = Traffic(base + 500, outer=none, dport=8472, vni=1)
    return delayed(t, SYN_OFFSETS, "VX101", Ports(base + 500))


@recipe("vx701-linear", findings={"VX701": None}, resembles=("VX101", "VX702"))
def vx701_linear(base: int) -> list[Packet]:
    """The same on a recent kernel with outer checksums on: ten SYNs with VX102, through at 68 s."""
    return delayed(Traffic(base + 502), LINEAR_OFFSETS, "VX102", Ports(base + 502))


@recipe("vx701-loss", findings={"VX701": None}, resembles=("VX101", "VX102", "VX702"))
def vx701_loss(base: int) -> list[Packet]:
    """The same wait, and all checksums are right: three SYNs were lost on the way."""
    t = Traffic(base + 501)
    t.ping(2)
    sport, seq = t.size(32768, 60999), t.size(1, 1 << 31)
    syns_at(t, sport, seq, SYN_OFFSETS[:4])
    conversation(t, sport, seq)
    return t.packets


@recipe("vx702", findings={"VX702": None}, resembles=("VX101", "VX701"))
def vx702(base: int) -> list[Packet]:
    """Two connections that never come about: every SYN is translated, with the checksum of VX102;
    ping works, and so does what is not translated.
    """
    t = Traffic(base + 510)
    t.ping(2)
    port, lost = Ports(base + 510), {}
    for _ in range(2):
        sport, seq = t.size(32768, 60999), t.size(1, 1 << 31)
        for p in syns_at(t, sport, seq, SYN_OFFSETS):
            lost[id(p)] = mark(nat(p, kernel, sport=port(p)), "VX102")
    t.connection(1)
    return [lost.get(id(p), p) for p in t.packets]


@recipe("vx702-silent", findings={"VX702": None}, resembles=("VX101", "VX102", "VX701"))
def vx702_silent(base: int) -> list[Packet]:
    """A connection that never comes about, and all checksums are right: nobody answers."""
    t = Traffic(base + 511)
    t.ping(2)
    syns_at(t, t.size(32768, 60999), t.size(1, 1 << 31), SYN_OFFSETS)
    return t.packets


@recipe("vx703", linktype=SLL, info={"VX703": None}, resembles=("VX201", "VX903"))
def vx703(base: int) -> list[Packet]:
    """A bulk transfer on its sending host whose segments are cut and summed in software: trains of
    segments of one size, microseconds apart, and no checksum left to a device.
    """
    t = Traffic(base + 520)
    sport, seq = t.size(32768, 60999), t.size(1, 1 << 31)
    t.tcp(sport, 443, SYN, seq=seq)
    t.tcp(sport, 443, SYN | ACK, seq=9, back=True)
    t.tcp(sport, 443, ACK, seq=seq + 1)
    seq += 1
    for _ in range(4):
        for last in (False,) * 19 + (True,):
            payload = t.random(_MSS)
            t.tcp(sport, 443, PSH | ACK if last else ACK, payload, seq=seq, wait=2e-6)
            seq += _MSS
        t.tcp(sport, 443, ACK, seq=10, back=True)
    return [p.but(direction=4 if from_a(p) else 0) for p in t.packets]
