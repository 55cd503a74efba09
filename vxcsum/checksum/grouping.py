"""Grouping rows by equal keys with one sort, however many groups there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64, AnyArray


def group_labels(*columns: AnyArray) -> I64:
    """Return a number for each row, equal where all columns are.

    Parameters
    ----------
    columns : integer[n] or integer[n, k]
    """
    labels = np.zeros(len(columns[0]), np.int64)
    for part in [part for column in columns for part in np.atleast_2d(column.T)]:
        _, inverse = np.unique(part, return_inverse=True)
        labels = labels * (int(inverse.max(initial=0)) + 1) + inverse
        _, labels = np.unique(labels, return_inverse=True)
    return labels.astype(np.int64)


def grouped(labels: I64) -> list[I64]:
    """Return the rows of each group, the group of the first row first."""
    if not labels.size:
        return []
    order = np.argsort(labels, kind="stable")
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    groups = np.split(order, cuts)
    return sorted(groups, key=lambda rows: int(rows[0]))
