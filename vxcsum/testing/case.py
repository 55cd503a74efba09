"""What the pytest plugin knows of one test: its captures, and what it accepts."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vxcsum.analysis import analyze
from vxcsum.rules.engine import selected
from vxcsum.rules.model import Severity
from vxcsum.source.again import in_memory
from vxcsum.testing.assertions import errors
from vxcsum.testing.message import explained
from vxcsum.testing.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vxcsum.report.report import Report

_LONGEST_NAME = 150


class Case:
    """One test that uses a fixture of the plugin.

    Parameters
    ----------
    ignore : iterable of str
        Rules that are accepted.
    fail_on : {"never", "info", "warning", "error"}
        Severity of a finding that fails the test.
    """

    def __init__(self, ignore: Iterable[str], fail_on: str) -> None:
        self.ignore = [ignore] if isinstance(ignore, str) else list(ignore)
        selected(None, self.ignore)  # a wrong rule is told before the test, not after it
        self.fail_on = None if fail_on == "never" else Severity[fail_on.upper()]
        self.files: list[Path] = []
        self.recordings: list[Recording] = []
        self._checked: set[Recording] = set()

    def analyze(self, source: Any, **options: Any) -> Report:
        """Analyse a capture without the accepted rules; fail as ``--vxcsum-fail-on`` says."""
        __tracebackhide__ = True
        if source in self.recordings and not options:  # all of it
            self._checked.add(source)
        source = in_memory(source)
        if isinstance(source, (str, os.PathLike)) and Path(source).is_file():
            self.files.append(Path(source))
        ignore = options.pop("ignore", None) or ()
        ignore = [*self.ignore, *([ignore] if isinstance(ignore, str) else ignore)]
        report = analyze(source, ignore=ignore, **options)
        bad = [] if self.fail_on is None else errors(report, self.fail_on)
        if bad:
            raise AssertionError(explained("findings in", bad, report, source))
        return report

    def record(self, interface: str, path: Path, **options: Any) -> Recording:
        """Begin to record traffic."""
        recording = Recording(interface, path, **options)
        self.recordings.append(recording)
        self.files.append(path)
        return recording

    def finish(self) -> None:
        """End what is still being recorded."""
        for recording in self.recordings:
            recording.stop()

    def check(self) -> None:
        """Analyse the recordings that the test did not analyse, where findings fail it."""
        __tracebackhide__ = True
        self.finish()
        if self.fail_on is not None:
            for recording in self.recordings:
                if recording not in self._checked:
                    self.analyze(recording)

    def keep(self, folder: Path, test: str) -> list[Path]:
        """Copy the captures of a failed test to a folder of its own, and return the copies."""
        self.finish()
        target = folder / _folder_name(test)
        kept: list[Path] = []
        for path in dict.fromkeys(self.files):
            if path.is_file():
                target.mkdir(parents=True, exist_ok=True)
                kept.append(_free(target / path.name, kept))
                shutil.copyfile(path, kept[-1])
        return kept


def _folder_name(test: str) -> str:
    """Return a name that no other test has, although not all of its characters may be kept."""
    name = re.sub(r"[^\w.-]+", "_", test).strip("_")[:_LONGEST_NAME]
    return f"{name}-{hashlib.sha256(test.encode()).hexdigest()[:8]}"


def _free(path: Path, taken: Sequence[Path]) -> Path:
    """Return a name that no other capture of the test has."""
    number = 2
    free = path
    while free in taken:
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return free
