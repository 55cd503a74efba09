"""Tables of NumPy columns as Arrow: readable, absent values null, a bounded part at a time.

Columns of numbers are handed over without copying where nothing is absent. Addresses become text
once for each different address.
"""

from __future__ import annotations

from struct import unpack
from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum import _optional
from vxcsum.tabular.fields import Field, How
from vxcsum.tabular.words import address_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vxcsum.tabular.fields import Present

#: Rows converted at a time.
BATCH_ROWS = 1 << 16
_NO_WORD = 127  # a dictionary has less words than int8 has codes


class Conversion:
    """From tables with one schema to Arrow.

    Parameters
    ----------
    fields : mapping of str to Field
        The names of the columns of the Arrow table, in its order.
    empty : table
        One without rows, for the types of the columns.

    Attributes
    ----------
    schema : pyarrow.Schema

    Raises
    ------
    MissingDependencyError
        Without pyarrow.
    """

    def __init__(self, fields: Mapping[str, Field], empty: Any) -> None:
        self._arrow = _optional.pyarrow()
        self._fields = fields
        arrays = self._arrays(empty)
        self.schema = self._arrow.schema(
            [
                self._arrow.field(name, array.type)
                for name, array in zip(fields, arrays, strict=True)
            ]
        )

    def batch(self, table: Any) -> Any:
        """Return a table as one ``pyarrow.RecordBatch``."""
        return self._arrow.RecordBatch.from_arrays(self._arrays(table), schema=self.schema)

    def batches(self, table: Any) -> Iterator[Any]:
        """Yield a table in parts of at most `BATCH_ROWS` rows."""
        for start in range(0, len(table), BATCH_ROWS):
            yield self.batch(table[start : start + BATCH_ROWS])

    def reader(self, table: Any) -> Any:
        """Return a ``pyarrow.RecordBatchReader``, which converts a part when it is asked for."""
        return self._arrow.RecordBatchReader.from_batches(self.schema, self.batches(table))

    def _arrays(self, table: Any) -> list[Any]:
        masks: dict[Present, Any] = {}  # many columns share a condition
        arrays = []
        for name, field in self._fields.items():
            absent = None
            if field.present is not None:
                if field.present not in masks:
                    masks[field.present] = ~field.present(table)
                absent = masks[field.present]
            column = np.asarray(table[field.source or name])
            arrays.append(self._array(column, field, absent))
        return arrays

    def _array(self, column: Any, field: Field, absent: Any) -> Any:
        arrow = self._arrow
        if field.how is How.ADDRESS:
            return self._addresses(column, absent)
        if field.how in (How.WORD, How.TEXT):
            return self._worded(column, field, absent)
        if column.dtype.kind in "OTU":
            return arrow.array(column.tolist(), arrow.string(), mask=absent)
        if column.dtype.kind == "f":
            absent = np.isnan(column) if absent is None else absent | np.isnan(column)
        if field.base:
            column = column - column.dtype.type(field.base)
        return arrow.array(np.ascontiguousarray(column), mask=absent)

    def _addresses(self, column: Any, absent: Any) -> Any:
        """Hash the addresses, so that each one is put into words once."""
        arrow = self._arrow
        octets = arrow.py_buffer(np.ascontiguousarray(column))
        raw = arrow.FixedSizeBinaryArray.from_buffers(arrow.binary(16), len(column), [None, octets])
        unique = raw.dictionary_encode()
        halves = (unpack("=QQ", octets) for octets in unique.dictionary.to_pylist())
        texts = arrow.array([address_text(each) for each in halves], arrow.string())
        places = unique.indices.to_numpy(zero_copy_only=False)
        return texts.take(arrow.array(places, mask=absent))

    def _worded(self, column: Any, field: Field, absent: Any) -> Any:
        arrow = self._arrow
        words = [word for word in field.words if word is not None]
        place = np.full(1 << 8 * column.dtype.itemsize, _NO_WORD, np.int8)
        codes = [code for code, word in enumerate(field.words) if word is not None]
        place[codes] = np.arange(len(codes))
        if field.how is How.TEXT:
            known = column < len(field.words)
            absent = ~known if absent is None else absent | ~known
            return arrow.array(list(field.words)).take(arrow.array(column, mask=absent))
        index = place[column]
        missing = index == _NO_WORD
        absent = missing if absent is None else absent | missing
        index[missing] = 0  # some libraries want all indices within the dictionary, also of nulls
        indices = arrow.array(index, mask=absent)
        return arrow.DictionaryArray.from_arrays(indices, arrow.array(words, arrow.string()))


def to_pandas(table: Any) -> Any:
    """Return an Arrow table as a pandas frame, integers as pandas' own nullable types.

    Parameters
    ----------
    table : pyarrow.Table
    """
    pandas, arrow = _optional.pandas(), _optional.pyarrow()
    types = {
        getattr(arrow, name.lower())(): getattr(pandas, f"{name}Dtype")()
        for name in ("UInt8", "UInt16", "UInt32", "UInt64", "Int8", "Int16", "Int32", "Int64")
    }
    return table.to_pandas(types_mapper=types.get)


def chosen(fields: Mapping[str, Field], names: Sequence[str] | None) -> Mapping[str, Field]:
    """Return the fields of some columns; KeyError for one that there is not."""
    return fields if names is None else {name: fields[name] for name in names}
