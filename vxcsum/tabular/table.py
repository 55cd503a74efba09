"""What tables of NumPy columns offer to people and to other libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vxcsum import _optional
from vxcsum.tabular.arrow import Conversion, chosen, to_pandas
from vxcsum.tabular.fields import How
from vxcsum.tabular.preview import END_ROWS, ends, html_table, text_table
from vxcsum.tabular.words import address_text, time_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vxcsum.tabular.fields import Field

_SHOWN_COLUMNS = 8


class ColumnTable:
    """Base of tables whose ``table[name]`` is a column and ``table[rows]`` a table of some rows.

    It is no `collections.abc.Mapping`, though it has all methods of one: polars would take its
    columns one by one before it asks for ``__arrow_c_stream__``.

    Attributes
    ----------
    FIELDS : mapping of str to Field
        The columns as they are told, in order.
    ROW : str
        What a row is, in the plural.
    STRONG : tuple of str
        Words that are set in bold in HTML.
    """

    FIELDS: ClassVar[Mapping[str, Field]] = {}
    ROW: ClassVar[str] = "rows"
    STRONG: ClassVar[tuple[str, ...]] = ()

    def __len__(self) -> int:
        """Return the number of rows."""
        raise NotImplementedError

    def __getitem__(self, key: Any) -> Any:
        """Return a column by its name, or some rows as a table."""
        raise NotImplementedError

    @classmethod
    def conversion(cls, empty: Any, columns: Sequence[str] | None = None) -> Conversion:
        """Return what converts tables of this class to Arrow.

        Parameters
        ----------
        empty : table
            Any table of this class.
        columns : sequence of str, optional
            Only these, in this order.
        """
        return Conversion(chosen(cls.FIELDS, columns), empty[:0])

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        """Return the table as an Arrow stream, converted part by part as it is read.

        ``polars.DataFrame(table)``, ``pandas.DataFrame.from_arrow(table)``,
        ``pyarrow.table(table)`` and a query of DuckDB on the variable all take it.
        """
        return self.conversion(self).reader(self).__arrow_c_stream__(requested_schema)

    def to_arrow(self, columns: Sequence[str] | None = None) -> Any:
        """Return a ``pyarrow.Table``: addresses and statuses as text, what is absent as null.

        Parameters
        ----------
        columns : sequence of str, optional
            Only these, in this order.

        Raises
        ------
        MissingDependencyError
            Without pyarrow (extra ``tables``).
        KeyError
            A column that there is not.
        """
        return self.conversion(self, columns).reader(self).read_all()

    def to_pandas(self, columns: Sequence[str] | None = None) -> Any:
        """Return a ``pandas.DataFrame``, as `to_arrow`; integers are of pandas' nullable types.

        Parameters
        ----------
        columns : sequence of str, optional
            Only these, in this order.

        Raises
        ------
        MissingDependencyError
            Without pandas and pyarrow (extra ``pandas``).
        """
        return to_pandas(self.to_arrow(columns))

    def to_polars(self, columns: Sequence[str] | None = None) -> Any:
        """Return a ``polars.DataFrame``, as `to_arrow`.

        Parameters
        ----------
        columns : sequence of str, optional
            Only these, in this order.

        Raises
        ------
        MissingDependencyError
            Without polars and pyarrow (extra ``polars``).
        """
        return _optional.polars().from_arrow(self.to_arrow(columns))

    def preview(self) -> tuple[list[str], list[list[str]]]:
        """Return names and cells of what is shown of each row; by default the first columns."""
        return preview_of(self, list(self.FIELDS)[:_SHOWN_COLUMNS])

    def _title(self) -> str:
        columns = len(self.FIELDS)
        return f"{type(self).__name__}: {len(self):,} {self.ROW}, {columns} columns"

    def _ends(self) -> tuple[list[str], list[list[str]], int | None]:
        shown, gap = ends(len(self))
        names, rows = self[np.array(shown, np.int64)].preview()
        return names, rows, gap

    def __repr__(self) -> str:
        """Return size, and the first and last rows."""
        if not len(self):
            return f"<{self._title()}>"
        return f"<{self._title()}>\n{text_table(*self._ends())}"

    def _repr_html_(self) -> str:
        """Return the same for notebooks: bounded, escaped, without script."""
        shown = f", {2 * END_ROWS} shown" if len(self) > 2 * END_ROWS else ""
        return html_table(self._title() + shown, *self._ends(), strong=self.STRONG)


def preview_of(table: ColumnTable, names: list[str]) -> tuple[list[str], list[list[str]]]:
    """Return the names and cells of some columns of a table."""
    told = [_told(table, table.FIELDS[name], name) for name in names]
    return names, [list(row) for row in zip(*told, strict=True)]


def _told(table: Any, field: Field, name: str) -> list[str]:
    """Return the cells of a column."""
    column = table[field.source or name]
    present = None if field.present is None else field.present(table)
    cells = []
    for row, value in enumerate(column):
        if (present is not None and not present[row]) or np.any(value != value):  # NaN, NaT
            cells.append("")
        elif field.how is How.ADDRESS:
            cells.append(address_text(value))
        elif field.how in (How.WORD, How.TEXT):
            cells.append((field.words[value] if value < len(field.words) else None) or "")
        elif column.dtype.kind == "M":
            cells.append(time_text(value))
        else:
            cells.append(str(value - field.base if field.base else value))
    return cells
