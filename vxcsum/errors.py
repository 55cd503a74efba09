"""What vxcsum raises and warns about.

::

    VxcsumError
    ├── CaptureError(ValueError)              an input that cannot be read as a capture at all
    ├── UnknownRuleError(KeyError)            a rule code or prefix nobody knows
    └── MissingDependencyError(ImportError)   an optional library; the message has the install line
    TruncatedCaptureWarning(UserWarning)      a capture that ends early; read up to there

The octets inside a capture never raise: a malformed frame gets a status and a reason.
"""

from __future__ import annotations

__all__ = [
    "CaptureError",
    "MissingDependencyError",
    "TruncatedCaptureWarning",
    "UnknownRuleError",
    "VxcsumError",
]


class VxcsumError(Exception):
    """Base of everything vxcsum raises on purpose."""


class CaptureError(VxcsumError, ValueError):
    """An input that cannot be opened or is no capture.

    Parameters
    ----------
    problem : str
        What was wrong, what was found, what was wanted.
    name : str
        The input, as its user named it.
    offset : int, optional
        Octets from the start of the (decompressed) input, where a place is known.
    """

    def __init__(self, problem: str, *, name: str, offset: int | None = None) -> None:
        self.problem = problem
        self.name = name
        self.offset = offset
        where = name if offset is None else f"{name}, offset {offset:#x}"
        super().__init__(f"{problem} ({where})")


class UnknownRuleError(VxcsumError, KeyError):
    """A rule code, name or prefix that selects nothing."""

    def __init__(self, code: str, nearest: tuple[str, ...] = ()) -> None:
        self.code = code
        self.nearest = nearest
        hint = f"; did you mean {', '.join(nearest)}?" if nearest else ""
        self.message = f"no rule matches {code!r}{hint}"
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


class MissingDependencyError(VxcsumError, ImportError):
    """An optional library that is not installed; the message says how to install it."""


class TruncatedCaptureWarning(UserWarning):
    """A capture that ends in the middle of a record, or whose records stop making sense."""
