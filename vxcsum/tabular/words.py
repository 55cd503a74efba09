"""How single values are written: addresses, times, and text that came from outside."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np


def printable(text: str) -> str:
    """Return text without control characters and ends of lines: names may come from anywhere."""
    return "".join(c if _is_printable(c) else f"\\u{ord(c):04x}" for c in text)


def _is_printable(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] != "C" and category not in ("Zl", "Zp")


def clipped(text: str, longest: int = 80) -> str:
    """Return text of bounded length, with ``...`` in place of what was left out."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def address_text(address: Any) -> str:
    """Return an address, given as 64-bit halves, as people write it.

    Examples
    --------
    >>> address_text((0, 0xFFFF_AC1F_070B))
    '172.31.7.11'
    """
    import ipaddress  # healthy captures need it not

    high, low = int(address[0]), int(address[1])
    if high == 0 and low >> 32 == 0xFFFF:
        return str(ipaddress.IPv4Address(low & 0xFFFFFFFF))
    return str(ipaddress.IPv6Address(high << 64 | low))


def time_text(timestamp: Any) -> str:
    """Return a ``datetime64`` or nanoseconds since 1970 as ISO 8601 in UTC, nine digits."""
    return f"{np.datetime64(timestamp, 'ns')}Z"


def flag_words(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the text of each value of a field of flags, lowest bit first; 0 is ``"none"``.

    Examples
    --------
    >>> flag_words(("FIN", "SYN"))
    ('none', 'FIN', 'SYN', 'FIN|SYN')
    """
    return tuple(
        "|".join(name for bit, name in enumerate(names) if value >> bit & 1) or "none"
        for value in range(1 << len(names))
    )
