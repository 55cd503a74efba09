"""Tables to files, a part at a time: Parquet, Arrow (IPC, also called Feather) and CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from vxcsum import _optional
from vxcsum.errors import VxcsumError
from vxcsum.tabular.arrow import BATCH_ROWS

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from vxcsum.tabular.arrow import Conversion

#: Formats by the ending of the file's name.
ENDINGS = {".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow", ".csv": "csv"}


def format_of(path: str | Path) -> str:
    """Return the format that the ending of a name asks for.

    Raises
    ------
    VxcsumError
        An ending that none has.
    """
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        problem = f"cannot tell the format of {str(path)!r}: wanted a name that ends in "
        raise VxcsumError(problem + ", ".join(ENDINGS))
    return ENDINGS[ending]


class TableFile:
    """Writes tables one after another into an open file.

    Memory is bounded: rows are gathered until there are `BATCH_ROWS` of them, and written.

    Parameters
    ----------
    file : binary file
        Written in order; not closed.
    format_ : {"parquet", "arrow", "csv"}
    conversion : Conversion
        Of the tables, which all have its schema.
    """

    def __init__(self, file: BinaryIO, format_: str, conversion: Conversion) -> None:
        self._arrow = _optional.pyarrow()
        self._conversion = conversion
        self._format = format_
        self._gathered: list[Any] = []
        self._rows = 0
        self._schema = conversion.schema
        if format_ == "csv":
            self._schema = self._arrow.schema(
                [self._arrow.field(field.name, self._csv_type(field)) for field in self._schema]
            )
        self._writer = self._open(file)

    def _open(self, file: BinaryIO) -> Any:
        arrow = self._arrow
        if self._format == "parquet":
            return _optional.pyarrow("parquet").ParquetWriter(
                file, self._schema, compression="zstd", store_schema=True
            )
        if self._format == "csv":
            return _optional.pyarrow("csv").CSVWriter(file, self._schema)
        options = arrow.ipc.IpcWriteOptions(compression="lz4")
        return arrow.ipc.new_file(file, self._schema, options=options)

    def _csv_type(self, field: Any) -> Any:
        """Return the type of a column that has to be told in text alone."""
        types = self._arrow.types
        if types.is_dictionary(field.type):
            return field.type.value_type
        return self._arrow.timestamp("ns", "UTC") if types.is_timestamp(field.type) else field.type

    def write(self, table: Any) -> None:
        """Write the rows of a table, now or with those that come after them."""
        for batch in self._conversion.batches(table):
            self._gathered.append(batch)
            self._rows += batch.num_rows
            if self._rows >= BATCH_ROWS:
                self._flush()

    def _flush(self) -> None:
        if self._gathered:
            table = self._arrow.Table.from_batches(self._gathered, self._conversion.schema)
            self._gathered, self._rows = [], 0
            self._writer.write_table(table.cast(self._schema).combine_chunks())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._flush()
        self._writer.close()
