"""The tools of the other tests do what they say. No verdict of vxcsum is asked here."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

import pytest
from container import SECOND, frames, joined, pcap, pcapng, rebuild, records
from edits import EDITS, ICMP, TCP, UDP, Ip, State, edited, layout, ones_sum
from judging import CAPTURES, captures
from parts import as_pcap, as_pcapng, damaged, has_one_interface, part, pieces, repeated, union
from renumbering import renumber, renumbered

if TYPE_CHECKING:
    from collections.abc import Callable

    from edits import Layout

SMALL = [c for c in captures(CAPTURES) if c.path.stat().st_size < 60_000]
NAMES = (
    *("h618-formats.us.pcap", "h618-formats.ns.pcap", "h618-formats.sll2.pcap"),
    *("h618-formats.multi-if-s128.pcapng", "h618-frag-outer-udpcsum.snd.pcap"),
    *("u61bug-nat6-csum-masq.snd.pcap", "u61fix-vlan-and-inner-vlan.snd.pcap"),
    *("u61fix-inner6.snd.pcap", "udpcsum_nat_rx.pcap"),
)
FILES = {name: next(CAPTURES.rglob(name)).read_bytes() for name in NAMES}
EACH_FILE = pytest.mark.parametrize("data", FILES.values(), ids=FILES)


def swapped_order(data: bytes) -> bytes:
    """A little-endian pcap file with headers in the other order."""
    out = [struct.pack(">IHHiIII", *struct.unpack_from("<IHHiIII", data))]
    for record in frames(data):
        out += [struct.pack(">IIII", *struct.unpack_from("<IIII", record.raw)), record.octets]
    return b"".join(out)


@EACH_FILE
def test_a_file_in_pieces_is_the_file(data: bytes) -> None:
    assert joined(records(data)) == data
    assert rebuild(data, [frame.octets for frame in frames(data)]) == data
    cut = data[:-7]
    assert joined(records(cut)) == cut
    assert 0 <= len(frames(data)) - len(frames(cut)) <= 1


@EACH_FILE
def test_every_form_has_the_same_frames(data: bytes) -> None:
    def told(form: bytes) -> list[tuple[int, bytes, int, int]]:
        return [
            (f.nanoseconds, f.octets, f.original, f.interface << 16 | f.linktype)
            for f in frames(form)
        ]

    kept = frames(data)
    assert told(pcapng(kept)) == told(data)
    if has_one_interface(data):
        assert told(pcap(kept)) == told(as_pcap(as_pcapng(data))) == told(data)
    if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"):
        swapped = swapped_order(data)
        assert told(swapped) == told(data)
        assert told(edited(swapped, "all-ports")) == told(edited(data, "all-ports"))


@EACH_FILE
def test_parts_repetitions_and_pieces(data: bytes) -> None:
    whole = frames(data)
    few = [frame.raw for frame in frames(part(data, 0.5, 1))]
    assert 0 < len(few) < len(whole)
    assert set(few) <= {frame.raw for frame in whole}
    assert [f.raw for piece in pieces(data, 3) for f in frames(piece)] == [f.raw for f in whole]
    thrice = frames(repeated(data, 3))
    assert [frame.octets for frame in thrice] == 3 * [frame.octets for frame in whole]
    step = thrice[len(whole)].nanoseconds - whole[0].nanoseconds
    assert step >= SECOND
    assert step % SECOND == 0
    assert thrice[-1].nanoseconds == whole[-1].nanoseconds + 2 * step
    both = frames(union(data, data))
    assert sorted(f.octets for f in both) == sorted(2 * [f.octets for f in whole])
    hurt = frames(damaged(data, 0.1, 1))
    changed = [(a, b) for a, b in zip(whole, hurt, strict=True) if a.octets != b.octets]
    assert 0 < len(changed) < len(whole) / 2


@pytest.mark.parametrize("edit", [*EDITS.values(), renumber], ids=[*EDITS, "renumber"])
def test_an_edit_takes_any_octets_and_keeps_the_length(
    edit: Callable[[bytearray, int, State], None],
) -> None:
    rng, state = random.Random(1), State(random.Random(1))
    for data in FILES.values():
        for frame in frames(data)[:12]:
            for _ in range(4):
                octets = bytearray(frame.octets[: rng.randrange(len(frame.octets) + 1)])
                for _ in range(rng.randrange(4)):
                    if octets:
                        octets[rng.randrange(min(len(octets), 120))] = rng.randrange(256)
                size = len(octets)
                edit(octets, frame.linktype, state)
                assert len(octets) == size


def places(name: str, found: Layout, frame: bytes) -> set[int]:
    """Where an edit may change octets, told apart from how it does."""
    out: set[int] = set()
    inner = [ip for ip in found.ips if not ip.tunnel]
    outer = [ip for ip in found.ips if ip.tunnel]
    which = {"inner": inner, "outer": found.ips}.get(name.split("-")[0], found.ips)
    if name.startswith(("payload", "tcp")):
        which = inner
    for ip in which:
        out |= _places_of_ip(name, ip, frame)
    if name in ("outer-source-ports", "all-ports"):
        out |= {at for ip in outer for at in (ip.l4, ip.l4 + 1)}
    if name == "outer-macs":
        out |= {at + n for at in found.link_macs for n in range(6)}
    if name == "inner-macs":
        out |= {at + n for at in found.inner_macs for n in range(6)}
    if name == "vni":
        out |= {at + n for at in found.vxlan for n in (4, 5, 6)}
    return out


def _places_of_ip(name: str, ip: Ip, frame: bytes) -> set[int]:
    header = range(ip.at, ip.at + 20) if ip.version == 4 else range(ip.at, ip.at + 40)
    first, _ = ip.addresses
    fields: dict[str, set[int]] = {
        "addresses": set(range(first, first + 2 * ip.width)),
        "dscp": {header[0], header[1]} if ip.version == 6 else {header[1]},
        "ttl": {header[7] if ip.version == 6 else header[8]},
        "ip-id": {header[4], header[5]} if ip.version == 4 else set(),
    }
    out: set[int] = set()
    kind = name.removesuffix("-fixed")
    if kind.endswith(("addresses", "one-host", "one-node", "prefix-preserving")):
        out |= fields["addresses"]
    for word in ("dscp", "ttl", "ip-id"):
        if kind.endswith(word):
            out |= fields[word]
    if name.endswith("-fixed") and ip.version == 4:
        out |= {header[10], header[11]}
    if kind in ("inner-ports", "all-ports") and not ip.tunnel and ip.first:
        out |= set(range(ip.l4, ip.l4 + 4)) if ip.protocol in (TCP, UDP) else set()
    if kind.startswith("tcp") and ip.protocol == TCP and ip.first:
        spans = {"tcp-sequence": (4, 12), "tcp-window": (14, 16), "tcp-timestamps": (20, 60)}
        start, end = spans[kind]
        out |= set(range(ip.l4 + start, ip.l4 + end))
    if kind.startswith("payload"):
        head = {TCP: 20, UDP: 8, ICMP: 8}.get(ip.protocol, 8) if ip.first else 0
        out |= set(range(ip.l4 + head, ip.end))
    return out


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_changes_what_it_says_and_nothing_else(name: str) -> None:
    changed = 0
    for file, data in FILES.items():
        new = edited(data, name)
        assert len(new) == len(data)
        assert new == edited(data, name)
        for before, after in zip(records(data), records(new), strict=True):
            if before.raw == after.raw:
                continue
            changed += 1
            assert before.raw[: before.start] == after.raw[: after.start]
            moved = {
                n
                for n, (a, b) in enumerate(zip(before.octets, after.octets, strict=True))
                if a != b
            }
            allowed = places(name, layout(before.octets, before.linktype), before.octets)
            assert moved <= allowed, (file, sorted(moved - allowed))
    assert changed > 10


@EACH_FILE
def test_names_are_renamed_one_to_one(data: bytes) -> None:
    for name in ("all-addresses", "prefix-preserving", "all-addresses-fixed"):
        pairs = set()
        for before, after in zip(frames(data), frames(edited(data, name)), strict=True):
            for ip in layout(before.octets, before.linktype).ips:
                for at in ip.addresses:
                    span = slice(at, at + ip.width)
                    pairs.add((before.octets[span], after.octets[span]))
                if name.endswith("-fixed") and ip.version == 4:
                    assert ones_sum(after.octets[ip.at : ip.l4]) == 0xFFFF
        assert len({old for old, _ in pairs}) == len(pairs) == len({new for _, new in pairs})


@EACH_FILE
def test_what_is_renumbered_is_as_right_or_wrong_as_before(data: bytes) -> None:
    for before, after in zip(frames(data), frames(renumbered(data)), strict=True):
        found = layout(before.octets, before.linktype).ips
        for ip in found:
            if ip.version == 4:
                header = slice(ip.at, ip.l4)
                assert _same(ones_sum(before.octets[header]), ones_sum(after.octets[header]))
            if ip is found[-1] and ip.checksum is not None and ip.checksum + 2 <= ip.end:
                was, now = (_innermost(frame.octets, ip) for frame in (before, after))
                assert was == now


def _innermost(frame: bytes, ip: Ip) -> tuple[str, int]:
    """Whether a checksum is right, unfinished or wrong, by sums over all that is there."""
    at = ip.checksum or 0
    first, _ = ip.addresses
    length = ip.end - ip.l4
    octets = frame[first : first + 2 * ip.width] + struct.pack(">II", length, ip.protocol)
    pseudo = 0 if ip.protocol == ICMP else ones_sum(octets)
    field = int.from_bytes(frame[at : at + 2], "big")
    if ip.protocol in (TCP, UDP) and _same(field, pseudo):
        return "unfinished", 0
    if ip.protocol == UDP and not field:
        return "zero", 0
    cut = frame[at : at + 2] == b"" or ip.end >= len(frame)
    if cut:
        return "cut", 0
    return "sum", (pseudo + ones_sum(frame[ip.l4 : ip.end])) % 0xFFFF


def _same(one: int, other: int) -> bool:
    return one % 0xFFFF == other % 0xFFFF
