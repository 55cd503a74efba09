"""The options of a pcapng block.

Sources
-------
draft-ietf-opsawg-pcapng, "Options", "Interface Description Block".
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from .frames import Interface

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["each_option", "interface_of"]

_IF_NAME, _IF_DESCRIPTION, _IF_TSRESOL, _IF_FCSLEN, _IF_TSOFFSET = 2, 3, 9, 13, 14
_LONGEST_TEXT = 255


def each_option(octets: bytes, *, big_endian: bool) -> Iterator[tuple[int, bytes]]:
    """Iterate over options.

    Parameters
    ----------
    octets : bytes
        The options of a block, all of them.
    big_endian : bool
        Byte order of the section.

    Yields
    ------
    tuple of int and bytes
        Code and value. An option which reaches beyond the block ends the options.
    """
    unpack = Struct(">HH" if big_endian else "<HH").unpack_from
    at = 0
    while at + 4 <= len(octets):
        code, length = unpack(octets, at)
        value = octets[at + 4 : at + 4 + length]
        if code == 0 or len(value) < length:
            return
        yield code, value
        at += 4 + ((length + 3) & ~3)


def interface_of(body: bytes, *, big_endian: bool, section: int) -> Interface:
    """Read an Interface Description Block.

    Parameters
    ----------
    body : bytes
        Between the block's two lengths; at least 8 octets.
    big_endian : bool
        Byte order of the section.
    section : int
        Number of the section.

    Returns
    -------
    Interface
        Options of a wrong length are as if absent.
    """
    order = ">" if big_endian else "<"
    linktype, snaplen = Struct(f"{order}HxxI").unpack_from(body)
    texts: dict[int, str] = {}
    ticks_per_second = 1_000_000
    offset_seconds = 0
    fcs_octets = 0
    for code, value in each_option(body[8:], big_endian=big_endian):
        if code in (_IF_NAME, _IF_DESCRIPTION):
            text = value[: 4 * _LONGEST_TEXT].rstrip(b"\0").decode("utf-8", "replace")
            texts.setdefault(code, text[:_LONGEST_TEXT])
        elif code == _IF_TSRESOL and len(value) == 1:
            exponent = value[0] & 0x7F
            ticks_per_second = (2 if value[0] & 0x80 else 10) ** exponent
        elif code == _IF_TSOFFSET and len(value) == 8:
            (offset_seconds,) = Struct(f"{order}q").unpack(value)
        elif code == _IF_FCSLEN and len(value) == 1:
            # told in bits, but writers which count octets exist: no FCS has below 16 bits
            fcs_octets = value[0] // 8 if value[0] >= 16 else value[0]
    return Interface(
        linktype=linktype,
        snaplen=snaplen,
        name=texts.get(_IF_NAME),
        description=texts.get(_IF_DESCRIPTION),
        ticks_per_second=ticks_per_second,
        offset_seconds=offset_seconds,
        fcs_octets=fcs_octets,
        section=section,
    )
