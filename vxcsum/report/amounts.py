"""How `compare` writes numbers."""

from __future__ import annotations


def percent(share: float) -> str:
    """Return a share with three digits: one wrong frame in a million is to be seen."""
    return f"{100 * share:.3g}%"


def known(value: bool | None) -> str:  # noqa: FBT001 - a value to be written
    """Return whether something is on, as far as that can be seen."""
    return "cannot be seen" if value is None else "on" if value else "off"


def written(value: float | None, form: str) -> str:
    """Return a number with its unit.

    Parameters
    ----------
    value : float or None
    form : {"count", "part", "share", "octets", "bits", "seconds"}
        ``part`` is a share with three digits; bits are a second's.
    """
    if value is None:
        return "-"
    if form == "count":
        return f"{value:,.0f}"
    if form == "part":
        return percent(value)
    if form == "share":
        return f"{value:.1%}"
    if form == "octets":
        return f"{value:,.0f} B"
    if form == "bits":
        return _scaled(value, (("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3), ("bit/s", 1)))
    return _scaled(value, (("s", 1), ("ms", 1e-3), ("us", 1e-6)))


def _scaled(value: float, units: tuple[tuple[str, float], ...]) -> str:
    for unit, size in units:
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / units[-1][1]:.3g} {units[-1][0]}"
