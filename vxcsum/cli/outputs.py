"""The files that ``vxcsum analyze`` writes beside its report."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vxcsum.errors import VxcsumError
from vxcsum.source.whole import whole_file, write_whole
from vxcsum.tabular.arrow import BATCH_ROWS
from vxcsum.tabular.export import TableFile, format_of

__all__ = [
    "all_different",
    "check_folders",
    "flow_file",
    "packet_file",
    "write_flows",
    "write_plots",
    "write_whole",
]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from vxcsum.flow.table import FlowTable
    from vxcsum.report.report import Report
    from vxcsum.tabular.arrow import Conversion


@contextmanager
def _table_file(
    path: str, captures: tuple[str, ...], conversion: Conversion
) -> Iterator[TableFile]:
    """Open a file for a table; all that can be wrong with it is told before the work."""
    format_ = format_of(path)
    with whole_file(path, captures) as file, TableFile(file, format_, conversion) as table:
        yield table


def all_different(**files: str | None) -> None:
    """Raise where two options name the same file."""
    taken: dict[Path, str] = {}
    for option, path in files.items():
        if path is None:
            continue
        other = taken.setdefault(Path(path).resolve(), option)
        if other != option:
            problem = f"--{option} and --{other} are the same file, {path!r}"
            raise VxcsumError(problem)


def check_folders(*files: str | None) -> None:
    """Raise where a file cannot be made, before the work that it is for."""
    for path in files:
        target = Path(path) if path and path != "-" else None
        if target is not None and not target.parent.is_dir():
            problem = f"cannot write {path!r}: there is no folder {str(target.parent)!r}"
            raise VxcsumError(problem)
        if target is not None and target.is_dir():
            problem = f"cannot write {path!r}: it is a folder"
            raise VxcsumError(problem)


def packet_file(path: str, captures: tuple[str, ...]) -> AbstractContextManager[TableFile]:
    """Open a file for the table of frames."""
    from vxcsum.checksum.table import PacketTable, concatenate

    return _table_file(path, captures, PacketTable.conversion(concatenate([])))


def flow_file(path: str, captures: tuple[str, ...]) -> AbstractContextManager[TableFile]:
    """Open a file for the table of connections."""
    from vxcsum.flow.connections import Connections
    from vxcsum.flow.table import FlowTable

    return _table_file(path, captures, FlowTable.conversion(Connections().table))


def write_flows(file: TableFile, flows: FlowTable) -> None:
    """Write connections a part at a time."""
    for start in range(0, len(flows), BATCH_ROWS):
        file.write(flows[start : start + BATCH_ROWS])


def write_plots(path: str, format_: str, report: Report, captures: tuple[str, ...]) -> None:
    """Write the pictures of a report."""
    with whole_file(path, captures) as file:
        report.plot.save(file, format_)
