"""What the columns of a table mean to somebody who reads it: the schema of its telling."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

#: Tells from a table in which rows a value is there, ``bool[n]``.
Present: TypeAlias = "Callable[[Any], npt.NDArray[np.bool_]]"


class How(Enum):
    """How the values of a column are told."""

    NUMBER = "number"
    """As they are: integers, floats (NaN is absent), booleans, times, text."""
    ADDRESS = "address"
    """``uint64[n, 2]`` as text, ``172.31.7.11``."""
    WORD = "word"
    """A small code as one of few words; dictionary-encoded."""
    TEXT = "text"
    """A small code as text: one of many, so not worth a dictionary."""


@dataclass(frozen=True, slots=True)
class Field:
    """How a column is told.

    Attributes
    ----------
    how : How
    present : callable, optional
        Given the table, tells in which rows there is a value; the others are null. All are,
        without it.
    words : tuple of str or None
        Of `WORD` and `TEXT`: the word of each code; None, and a code beyond, are null.
    source : str
        The column it is told from, where that has another name.
    base : int
        Subtracted from numbers, for columns whose 0 means absent.
    """

    how: How = How.NUMBER
    present: Present | None = None
    words: tuple[str | None, ...] = ()
    source: str = ""
    base: int = 0


@functools.cache
def nonzero(column: str) -> Present:
    """Return what tells a value present where a column, by name, is not 0."""
    return lambda table: table[column] != 0


@functools.cache
def all_of(*conditions: Present) -> Present:
    """Return what tells a value present where all conditions do."""
    return lambda table: np.logical_and.reduce([condition(table) for condition in conditions])
