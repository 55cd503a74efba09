"""How far long work has come, on a terminal."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

from vxcsum.tabular.words import clipped, printable

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rich.progress import Progress, TaskID

    from vxcsum.pipeline import Reading

#: What takes less than this shows nothing.
SECONDS_BEFORE = 1.0
_SECONDS_BETWEEN = 0.1
_LONGEST_NAME = 40


class ProgressLine:
    """A line on standard error that says how far a reading is, with its rate and the time left.

    It is drawn by a thread of its own, which looks at `Reading.position`; the work knows nothing
    of it. rich is loaded only when there is something to draw.

    Parameters
    ----------
    wanted : bool
        Nothing is shown where False, and where standard error is no terminal.
    """

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted and _is_terminal()
        self._reading: Reading | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="vxcsum-progress", daemon=True)

    def watch(self, reading: Reading) -> None:
        """Show this reading from now on."""
        self._reading = reading

    def __enter__(self) -> Self:
        if self._wanted:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        if self._wanted:
            self._thread.join()

    def _draw(self) -> None:
        if self._done.wait(SECONDS_BEFORE):
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        console = Console(stderr=True)
        progress = Progress(*columns, console=console, transient=True, auto_refresh=False)
        task = progress.add_task("", total=None)
        self._look(progress, task)
        with progress:
            while not self._done.wait(_SECONDS_BETWEEN):
                self._look(progress, task)
                progress.refresh()

    def _look(self, progress: Progress, task: TaskID) -> None:
        if self._reading is not None:
            name, octets, total = self._reading.position
            said = clipped(printable(name), _LONGEST_NAME)
            progress.update(task, description=said, completed=octets, total=total)


def _is_terminal() -> bool:
    return (
        sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    )
