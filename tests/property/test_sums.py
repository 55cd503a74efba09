"""Ones-complement arithmetic against three lines of Python and the fact sheet's identities."""

from __future__ import annotations

import struct

from hypothesis import example, given
from hypothesis import strategies as st
from support import UDP, address, ones_sum, pseudo, segment, take

from vxcsum import internet_checksum, ones_complement_sum

M = 0xFFFF
octets = st.binary(max_size=300)
words = st.integers(0, M)
ports = st.integers(1, M)
ip4 = st.binary(min_size=4, max_size=4)
addresses = st.one_of(
    st.tuples(ip4, ip4, ip4), st.tuples(*[st.binary(min_size=16, max_size=16)] * 3)
)


def S(data: bytes) -> int:
    return ones_complement_sum(data)


def equal(one: int, other: int) -> bool:
    return (one - other) % M == 0


@given(octets)
@example(b"")
@example(b"\xff\xff")
@example(b"\xff")
def test_the_sum_is_what_three_lines_of_python_give(data: bytes) -> None:
    assert ones_complement_sum(data) == ones_sum(data)
    assert internet_checksum(data) == M - ones_sum(data)


def test_the_sum_of_many_octets_does_not_overflow() -> None:
    data = b"\xff" * 3_000_001
    assert ones_complement_sum(data) == ones_sum(data)


@given(octets, st.data())
def test_sums_of_the_parts_of_any_split_add_up(data: bytes, draw: st.DataObject) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    total = 0
    for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
        part = ones_complement_sum(data[start:stop])
        total += part * 256 if start % 2 else part  # RFC 1071 2(B): swapped lanes
    assert equal(total, ones_complement_sum(data))


@given(st.lists(words, max_size=60), st.randoms(use_true_random=False))
def test_the_order_of_words_does_not_matter(values: list[int], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    pack = f">{len(values)}H"
    assert S(struct.pack(pack, *values)) == S(struct.pack(pack, *shuffled))


@given(octets)
def test_any_buffer_of_octets_is_taken(data: bytes) -> None:
    expected = ones_complement_sum(data)
    assert ones_complement_sum(bytearray(data)) == expected
    assert ones_complement_sum(memoryview(data)) == expected


@given(octets.filter(lambda data: len(data) % 2 == 0))
def test_octets_with_their_checksum_sum_to_all_ones(data: bytes) -> None:
    whole = data + internet_checksum(data).to_bytes(2, "big")
    assert ones_complement_sum(whole) == M


def test_rfc_1071_example() -> None:
    assert ones_complement_sum(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2


def field(src: bytes, dst: bytes, sport: int, dport: int, payload: bytes) -> int:
    return take(segment(UDP, src, dst, payload, sport=sport, dport=dport), 6)


@given(addresses, ports, ports, ports, octets)
def test_residuals_of_rewritten_headers_are_those_of_the_fact_sheet(
    three: tuple[bytes, bytes, bytes], old_port: int, new_port: int, dport: int, payload: bytes
) -> None:
    old, new, dst = three
    before = field(old, dst, old_port, dport, payload)
    after = field(new, dst, new_port, dport, payload)
    address_change, port_change = S(new) - S(old), new_port - old_port
    assert equal(before - after, address_change + port_change)  # c1
    assert equal(before + address_change - after, 2 * address_change + port_change)  # c2
    assert equal(before - address_change - after, port_change)  # c3
    assert equal(before - port_change - after, address_change)  # c4


@given(addresses, ports, ports, octets, st.binary(min_size=1, max_size=20), ports)
def test_residuals_of_arithmetic_mistakes_are_those_of_the_fact_sheet(
    three: tuple[bytes, bytes, bytes],
    sport: int,
    dport: int,
    payload: bytes,
    padding: bytes,
    stale: int,
) -> None:
    src, dst, _ = three
    right = field(src, dst, sport, dport, payload)
    bare = segment(UDP, src, dst, payload, sport=sport, dport=dport, value=0)
    length = len(bare)
    ph = src + dst + struct.pack(">II", length, UDP)

    def checksum(header: bytes, body: bytes) -> int:
        return M - ones_sum(header + body)

    assert equal(pseudo(src, dst, UDP, length) - right, S(ph) + S(ph + bare))  # a
    pad = S(bytes(length % 2) + padding)
    assert equal(checksum(ph, bare + padding) - right, -pad)  # g
    longer = src + dst + struct.pack(">II", length + len(padding), UDP)
    assert equal(checksum(longer, bare + padding) - right, -pad - len(padding))  # g2
    other = src + dst + struct.pack(">II", stale, UDP)
    assert equal(checksum(other, bare) - right, length - stale)  # h
    assert equal(checksum(b"", bare) - right, S(ph))  # i
    assert equal(S(ph + bare) - right, 2 * S(ph + bare))  # j
    assert equal(
        checksum(ph, bare + (b"\0" if length % 2 else b"") + struct.pack(">H", stale)) - right,
        -stale,
    )  # k
    wrong = src + dst + struct.pack(">II", length, 6)
    assert equal(checksum(wrong, bare) - right, UDP - 6)  # m
    swapped = right >> 8 | (right & 0xFF) << 8
    assert equal(swapped - right, 256 * right - right)  # e
    if length % 2:
        last = bare[-1]
        low = ones_sum(ph + bare[:-1]) + last
        assert equal(-low - right, 255 * last)  # f


@given(st.binary(min_size=4, max_size=4), st.binary(min_size=4, max_size=4), st.integers(0, 65534))
def test_half_of_a_residual_is_unique(old: bytes, new: bytes, residual: int) -> None:
    half = residual * 0x8000 % M
    assert 2 * half % M == residual
    change = (S(new) - S(old)) % M
    assert 2 * change * 0x8000 % M == change


def test_vectors_of_the_address_change() -> None:
    change = S(address("192.168.77.9")) - S(address("192.168.77.1"))
    assert change == 8
