"""Ones-complement algebra: sums, folds and pseudo-headers (RFC 1071, RFC 768, RFC 8200 8.1).

Everything is arithmetic modulo 0xffff; 0x0000 and 0xffff are the same residue. A *residual* is
kept canonical, 0 to 0xfffe. Field values are compared as residues, never as integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.packet.protocols import IPPROTO_ICMP

if TYPE_CHECKING:
    import numpy.typing as npt

    from vxcsum.packet.columns import U16, U64, Bool

MODULUS = 0xFFFF
#: One half, modulo 0xffff.
HALF = 0x8000


def _octets(data: Any) -> npt.NDArray[np.uint8]:
    view = memoryview(data)
    return np.frombuffer(view.cast("B") if view.nbytes else b"", np.uint8)


def ones_complement_sum(data: Any) -> int:
    """Return the folded 16-bit ones-complement sum of some octets.

    Parameters
    ----------
    data : bytes-like
        Taken as big-endian 16-bit words; an odd last octet is padded with zero on its right.

    Returns
    -------
    int
        0 to 0xffff; 0 only where every octet is zero.

    Notes
    -----
    Source: RFC 1071 section 1.

    Examples
    --------
    >>> hex(ones_complement_sum(bytes.fromhex("0001f203f4f5f6f7")))
    '0xddf2'
    """
    octets = _octets(data)
    total = int(octets[0::2].sum(dtype=np.uint64)) * 256 + int(octets[1::2].sum(dtype=np.uint64))
    return total if total == 0 else (total - 1) % MODULUS + 1


def internet_checksum(data: Any) -> int:
    """Return the Internet checksum of some octets: the complement of their sum.

    Parameters
    ----------
    data : bytes-like
        The octets covered, the checksum field among them set to zero.

    Returns
    -------
    int
        0 to 0xffff, as it stands in an IPv4, TCP or ICMP header. UDP sends 0xffff for 0.

    Notes
    -----
    Source: RFC 1071 section 1; RFC 768 for the UDP exception.

    Examples
    --------
    >>> hex(internet_checksum(bytes.fromhex("0001f203f4f5f6f7")))
    '0x220d'
    """
    return ones_complement_sum(data) ^ 0xFFFF


def residue(value: Any) -> U16:
    """Return integers modulo 0xffff as ``uint16``; negative ones are right too."""
    remainder: U16 = np.remainder(value, MODULUS).astype(np.uint16)
    return remainder


def difference(left: U16, right: U16) -> U16:
    """Return ``left - right`` modulo 0xffff, ``uint16[n]``."""
    return residue(left.astype(np.int32) - right)


def address_sum(address: U64) -> U16:
    """Return the residue of addresses given as 64-bit halves.

    Parameters
    ----------
    address : uint64[n, 2]
        IPv4 as ``::ffff:a.b.c.d``; its 0xffff counts nothing.

    Returns
    -------
    uint16[n]
    """
    return residue(residue(address[..., 0]).astype(np.uint32) + residue(address[..., 1]))


def expected_field(found: U16, residual: U16, *, udp: Any) -> U16:
    """Return what the checksum field should hold.

    Parameters
    ----------
    found, residual : uint16[n]
    udp : bool or bool[n]
        UDP sends 0xffff where the sum gives 0 (RFC 768); so do others whose octets are all zero.

    Returns
    -------
    uint16[n]
    """
    expected = difference(found, residual)
    return np.where((expected == 0) & udp, np.uint16(0xFFFF), expected)


def may_be_all_zero(columns: Any) -> Bool:
    """Return which ICMP messages may be nothing but zeros, so that 0xffff is their checksum.

    A residue does not tell a sum of +0 (all octets zero), whose complement is 0xffff, from one of
    -0. Without a pseudo-header ICMPv4 can have the former: an echo reply with identifier 0.
    There 0xffff is accepted by all who add, and 0x0000 may not be.

    Parameters
    ----------
    columns : PacketTable or mapping of str to array
        With the protocol, and type, code and identifier in place of the ports.

    Returns
    -------
    bool[n]
    """
    zero: Bool = columns["inner_protocol"] == IPPROTO_ICMP
    zero &= (columns["inner_sport"] == 0) & (columns["inner_dport"] == 0)
    return zero
