"""Progress: where it shows, what it says, and that it leaves nothing behind."""

from __future__ import annotations

import gzip
import io
import os
import pty
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from support import TCP, address, ipv4, pcap, plain, segment

from vxcsum import analyze
from vxcsum.pipeline import Position, Reading

if TYPE_CHECKING:
    from pathlib import Path

A, B = address("10.0.0.1"), address("10.0.0.2")
CAPTURE = pcap([plain(ipv4(segment(TCP, A, B, bytes(n % 9)), TCP, A, B)) for n in range(400)])
LONG = CAPTURE[:24] + CAPTURE[24:] * 500


def positions(source: Any, **more: Any) -> list[Position]:
    """Where a reading is before, after each table, and at the end."""
    reading = Reading(source, jobs=1, **more)
    found = [reading.position]
    found += [reading.position for _ in reading.tables()]
    return [*found, reading.position]


def test_the_position_of_a_file_ends_at_its_size(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(LONG)
    before, *between, after = positions(str(path))
    assert before == Position("", 0, None)
    assert after == Position(str(path), len(LONG), len(LONG))
    assert [p.octets for p in between] == sorted(p.octets for p in between)
    assert 0 < between[0].octets < len(LONG)
    assert {p.total for p in between} == {len(LONG)}


@pytest.mark.parametrize("kind", ["path", "bytes", "file"])
def test_octets_are_those_of_the_compressed_file(tmp_path: Path, kind: str) -> None:
    stored = gzip.compress(LONG, 1, mtime=0)
    path = tmp_path / "a.pcap.gz"
    path.write_bytes(stored)
    with path.open("rb") as file:
        *_, last = positions({"path": path, "bytes": stored, "file": file}[kind])
    assert (last.octets, last.total) == (len(stored), len(stored))


def test_several_captures_have_one_total_and_unreadable_ones_do_not_hide_it(
    tmp_path: Path,
) -> None:
    for name, octets in (("a.pcap", CAPTURE), ("b.pcap", LONG), ("c.txt", b"no capture" * 9)):
        (tmp_path / name).write_bytes(octets)
    first, *_, last = positions(str(tmp_path))[1:]
    assert first.total == len(CAPTURE) + len(LONG) + 90
    assert first.octets == len(CAPTURE)
    assert last.name.endswith("c.txt")
    assert last.octets <= (last.total or 0) <= len(CAPTURE) + len(LONG) + 90


def test_without_a_size_there_is_no_total(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(CAPTURE,))
    writer.start()
    *_, last = positions(str(pipe))
    writer.join()
    assert (last.octets, last.total) == (len(CAPTURE), None)
    assert positions(io.BytesIO(CAPTURE))[-1].octets == len(CAPTURE)


def test_analyze_gives_the_reading_before_it_begins() -> None:
    seen: list[Reading] = []
    analyze(CAPTURE, on_start=seen.append)
    assert seen[0].position.octets == len(CAPTURE)


# On a terminal. The input ends when progress was seen, so nothing here depends on speed.


def on_terminal(tmp_path: Path, *options: str, shown: bool, **environment: str) -> tuple[str, str]:
    """Run with a pipe as the capture and a terminal as standard error; return both outputs."""
    pipe = tmp_path / "<b>\x1b[31mpipe"
    os.mkfifo(pipe)
    ours, theirs = pty.openpty()
    code = "import vxcsum.cli.progress as p; p.SECONDS_BEFORE = 0; from vxcsum.cli.main import main"
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}; main()", "analyze", *options, str(pipe)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", **environment},
    ) as process:
        os.close(theirs)
        error = b""
        with pipe.open("wb") as file:
            file.write(CAPTURE)
            file.flush()
            while shown and b"kB" not in error:
                error += os.read(ours, 65536)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:  # the other side of a terminal has gone
            break
        if not more:
            break
        error += more
    os.close(ours)
    return out.decode(), error.decode()


def test_long_work_shows_a_line_that_goes_away(tmp_path: Path) -> None:
    out, error = on_terminal(tmp_path, shown=True)
    assert out.startswith("OK")
    assert "\x1b" not in out
    assert "kB" in error
    assert "\x1b[31m" not in error.replace("\x1b[31m?", "")  # of the name; rich has one of its own
    assert re.search(r"\x1b\[2K$", error)  # the line is gone
    assert error.rindex("\x1b[?25h") > error.rindex("\x1b[?25l")  # the cursor is back


def test_no_progress_switches_it_off(tmp_path: Path) -> None:
    out, error = on_terminal(tmp_path, "--no-progress", shown=False)
    assert out.startswith("OK")
    assert error == ""


def test_a_dumb_terminal_gets_nothing(tmp_path: Path) -> None:
    assert on_terminal(tmp_path, shown=False, TERM="dumb")[1] == ""


def test_pipes_get_nothing_and_rich_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(LONG)
    code = (
        "import sys, atexit; atexit.register(lambda: print('rich' in sys.modules));"
        "import vxcsum.cli.progress as p; p.SECONDS_BEFORE = 0;"
        "from vxcsum.cli.main import main; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, "analyze", "-q", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (result.stdout, result.stderr) == ("False\n", "")
