"""PacketTable: one row per frame, one NumPy column per fact or judgement."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, ValuesView
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from vxcsum.checksum.algebra import expected_field, may_be_all_zero
from vxcsum.checksum.fields import packet_fields, summed
from vxcsum.checksum.preview import NAMES, rows_of
from vxcsum.checksum.status import LAYERS, Layer, Status
from vxcsum.packet.columns import (
    FACTS,
    RECORD_COLUMNS,
    SLOTS,
    AnyArray,
    Bool,
    Columns,
    allocate,
)
from vxcsum.packet.protocols import IPPROTO_ICMP, IPPROTO_UDP
from vxcsum.tabular.table import ColumnTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vxcsum.tabular.fields import Field

JUDGED_COLUMNS: dict[str, str] = {
    f"{slot}_{what}": "u1" for slot in SLOTS for what in ("status", "reason")
}
STORED_COLUMNS: dict[str, str] = {**RECORD_COLUMNS, **FACTS, **JUDGED_COLUMNS}
_ATTRIBUTES = ("found", "expected", "residual", "pseudo", "status", "reason")
#: Columns computed on request: ``<layer>_<attribute>`` for each of the twelve layers.
LAYER_COLUMNS: dict[str, tuple[Layer, str]] = {
    f"{layer.name}_{attribute}": (layer, attribute)
    for layer in LAYERS.values()
    for attribute in _ATTRIBUTES
    if not (attribute == "pseudo" and layer.slot.endswith("_ip"))
}


class PacketTable(ColumnTable):
    """The frames of a capture, or of one block of it, as a mapping of columns.

    ``table["inner_tcp_status"]`` is a column; ``table[mask]``, ``table[10:20]`` and
    ``table[indices]`` are tables of some rows. Addresses are ``uint64[n, 2]`` (high, low; IPv4 as
    ``::ffff:a.b.c.d``), times ``datetime64[ns]`` in UTC. Layer columns are 0 where the frame has
    no such layer; its status column is then 0, too.

    `to_arrow`, `to_pandas`, `to_polars` and ``__arrow_c_stream__`` give readable tables, in which
    absent values are null.
    """

    FIELDS: ClassVar[Mapping[str, Field]] = packet_fields(tuple(JUDGED_COLUMNS), LAYER_COLUMNS)
    ROW = "frames"
    STRONG = ("invalid",)

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._rows = len(columns["frame_number"])

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._rows

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the columns."""
        yield from self._columns
        yield from (name for name in LAYER_COLUMNS if name not in self._columns)

    def keys(self) -> Any:
        """Return the names of the columns."""
        return dict.fromkeys(self).keys()

    def values(self) -> ValuesView[AnyArray]:
        """Return the columns."""
        return ValuesView(cast("Any", self))

    def items(self) -> ItemsView[str, AnyArray]:
        """Return pairs of a name and a column."""
        return ItemsView(cast("Any", self))

    def get(self, name: str, default: Any = None) -> Any:
        """Return a column, or something else where there is none of that name."""
        try:
            return self[name]
        except KeyError:
            return default

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a column."""
        return name in self._columns or name in LAYER_COLUMNS

    def __getitem__(self, key: Any) -> Any:
        """Return a column by its name, or some rows as a table."""
        if isinstance(key, str):
            if key in self._columns:
                return self._columns[key]
            if key in LAYER_COLUMNS:
                return self._layer_column(*LAYER_COLUMNS[key])
            raise KeyError(key)
        if isinstance(key, (int, np.integer)):
            if not -self._rows <= key < self._rows:
                problem = f"row {key} is out of range: the table has {self._rows} rows"
                raise IndexError(problem)
            key = slice(key, key + 1 or None)
        elif isinstance(key, (list, tuple)) and key and isinstance(key[0], str):
            return {name: self[name] for name in key}
        return PacketTable({name: column[key] for name, column in self._columns.items()})

    def __eq__(self, other: object) -> bool:
        """Tables are compared by identity; compare their columns."""
        return self is other

    __hash__ = object.__hash__

    def preview(self) -> tuple[list[str], list[list[str]]]:
        """Return what is shown of each frame: time, addresses, what it is, its checksums."""
        return list(NAMES), rows_of(self)

    def layer_mask(self, layer: str) -> Bool:
        """Return which frames have a checksum of a layer, ``bool[n]``."""
        return self._mask(LAYERS[layer])

    def _mask(self, layer: Layer) -> Bool:
        mask: Bool = self._columns[f"{layer.slot}_status"] != Status.ABSENT
        mask &= self._columns["kind"] == layer.kind
        if layer.protocol is not None:
            mask &= self._columns["inner_protocol"] == layer.protocol
        return mask

    def _layer_column(self, layer: Layer, attribute: str) -> AnyArray:
        if attribute == "expected":
            values = self._expected(layer)
        else:
            values = self._columns[f"{layer.slot}_{attribute}"]
        column: AnyArray = values * self._mask(layer)
        return column

    def _expected(self, layer: Layer) -> AnyArray:
        columns = self._columns
        slot = layer.slot
        found, residual = columns[f"{slot}_found"], columns[f"{slot}_residual"]
        ones: Any = slot == "outer_udp" or layer.protocol == IPPROTO_UDP
        if layer.protocol == IPPROTO_ICMP:
            ones = may_be_all_zero(columns) & (found != 0)
        expected = expected_field(found, residual, udp=ones)
        column: AnyArray = expected * summed(slot)(columns)
        return column


def concatenate(tables: Sequence[PacketTable]) -> PacketTable:
    """Return one table with the rows of several; its columns are views of one allocation."""
    if len(tables) == 1:
        return tables[0]
    names = list(tables[0]._columns) if tables else list(STORED_COLUMNS)
    if not tables:
        return PacketTable(
            {
                name: np.zeros((0, 2), "u8") if code == "2u8" else np.zeros(0, code)
                for name, code in STORED_COLUMNS.items()
            }
        )
    first = {name: tables[0][name] for name in names}
    schema = {name: "2u8" if c.ndim == 2 else c.dtype.str for name, c in first.items()}
    columns = allocate(sum(map(len, tables)), schema)
    for name, column in columns.items():
        np.concatenate([table[name] for table in tables], out=column)
    return PacketTable(columns)
