"""What vxcsum set out to reach, what it reached, and where the time goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

WHERE = """\
Nanoseconds for each frame, compiled kernel, one thread. *Reading* is the read floor, *scanning* the
kernel alone (dissecting, and summing each octet once), *connections* what follows them alone; *the
rest* is what remains of `analyze`: finding records, judging, counting, the rules. The last column
is how fast `analyze` could be at best with one thread, as a multiple of the read floor: reading and
scanning take that long by themselves.
"""


class Run:
    """One measurement."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.info: dict[str, Any] = record["extra_info"]
        self.seconds = float(record["stats"]["median"])
        self.octet_rate = self.info["octets"] / self.seconds / 1e9
        self.frame_rate = self.info["frames"] / self.seconds / 1e6

    def get(self, name: str) -> Any:
        """Return a label of the measurement, None where it has none."""
        return self.info.get(name)

    @property
    def name(self) -> str:
        """What was measured, in a few words."""
        if self.get("case") == "peer":
            return str(self.get("tool"))
        engine = f", {self.get('engine')}, jobs {self.get('jobs')}" if self.get("engine") else ""
        return f"{self.get('case')}{engine}"


def number(value: float | None) -> str:
    """Return three digits of a number; nothing for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _one(runs: list[Run], **labels: Any) -> Run | None:
    """Return the measurement with some labels."""
    matching = (run for run in runs if all(run.get(name) == labels[name] for name in labels))
    return next(matching, None)


def _analyze(runs: list[Run], kind: str, engine: str = "native", jobs: int = 1) -> Run | None:
    return _one(runs, case="analyze", kind=kind, engine=engine, jobs=jobs)


def _ratio(run: Run | None, other: Run | None) -> float | None:
    return run.frame_rate / other.frame_rate if run and other else None


@dataclass(frozen=True)
class Goal:
    """A figure to be reached, what was reached, and why not, where it was not."""

    what: str
    wanted: float
    value: float | None
    why: str = ""
    at_most: bool = False

    @property
    def reached(self) -> bool:
        """Whether the figure was reached."""
        assert self.value is not None
        return self.value <= self.wanted if self.at_most else self.value >= self.wanted

    @property
    def row(self) -> str:
        """Return the row of a table."""
        wanted = f"{'at most ' if self.at_most else ''}{number(self.wanted)}"
        said = "" if self.value is None else "yes" if self.reached else "**no**"
        return f"| {self.what} | {wanted} | {number(self.value)} | {said} |"


def goals(runs: list[Run]) -> list[str]:
    """Return the table of the goals, and what stands in the way of those that were not reached."""
    found = [*_analysis(runs), *_beside(runs), *_thrift(runs)]
    lines = ["| | goal | here | reached |", "|---|---:|---:|---|", *(goal.row for goal in found)]
    missed: dict[str, list[str]] = {}
    for goal in found:
        if goal.value is not None and not goal.reached:
            missed.setdefault(goal.why, []).append(goal.what)
    if missed:
        lines += ["", "What stands in the way:", ""]
        lines += [f"* {'; '.join(whats)}: {why}." for why, whats in missed.items()]
    return lines


def _analysis(runs: list[Run]) -> list[Goal]:
    floor = {kind: _one(runs, case="read floor", kind=kind) for kind in ("mtu", "superframes")}
    one, two, large = (
        _analyze(runs, "mtu"),
        _analyze(runs, "mtu", jobs=2),
        _analyze(runs, "superframes"),
    )
    small, scan = _analyze(runs, "small"), _one(runs, case="scan", kind="small", engine="native")
    numpy = [_analyze(runs, kind, "numpy") for kind in ("mtu", "small")]
    read = (
        "the kernel's copy out of the page cache and our pass over it both touch every octet, and "
        "the table below shows how little is left by these two alone; a mapped file would save "
        "the copy, but a file that shrinks meanwhile would kill the process"
    )
    passes = (
        "scanning a frame and following its connection take most of it; the rest is many "
        "passes of NumPy over columns that no longer fit into the nearest cache"
    )
    loop = (
        "where a record begins is known only after the one before it: finding them is a loop of "
        "Python, a fifth of the time"
    )
    return [
        Goal("`analyze`, mtu, one thread, x read floor", 0.7, _ratio(one, floor["mtu"]), read),
        Goal("`analyze`, mtu, two threads, x read floor", 1.2, _ratio(two, floor["mtu"]), read),
        Goal(
            "`analyze`, superframes, one thread, x read floor",
            1.5,
            _ratio(large, floor["superframes"]),
            read,
        ),
        Goal(
            "`analyze`, small, one thread, million frames/s", 8, small and small.frame_rate, passes
        ),
        Goal("scan alone, small, million frames/s", 20, scan and scan.frame_rate, passes),
        Goal("NumPy twin, `analyze`, mtu, GB/s", 0.8, numpy[0] and numpy[0].octet_rate, loop),
        Goal(
            "NumPy twin, `analyze`, small, million frames/s",
            1.5,
            numpy[1] and numpy[1].frame_rate,
            loop,
        ),
    ]


def _beside(runs: list[Run]) -> list[Goal]:
    peer = {
        tool: _one(runs, case="peer", kind="mtu", tool=tool)
        for tool in ("tcpdump", "tshark", "dpkt", "scapy")
    }
    process = _one(runs, case="process", engine="native", jobs=2)
    start, empty = (_one(runs, case="start-up", what=what) for what in ("analyze", "import numpy"))
    begin = "before the first octet is read, Python and NumPy have to be loaded"
    if process and start and empty:
        begin = (
            f"of {1e3 * process.seconds:.0f} ms, {1e3 * start.seconds:.0f} go by before the first "
            f"octet is read, {1e3 * empty.seconds:.0f} of them to load Python and NumPy"
        )
    read = _one(runs, case="read_packets", kind="mtu", engine="native")
    keep = (
        "about 250 octets are kept of each frame: writing these to memory that was not used "
        "before, and once more to join the tables, takes longer than scanning"
    )
    return [
        Goal("whole process, mtu, x `tcpdump -vv`", 10, _ratio(process, peer["tcpdump"]), begin),
        Goal("whole process, mtu, x tshark", 150, _ratio(process, peer["tshark"]), begin),
        Goal("`read_packets`, mtu, x dpkt", 500, _ratio(read, peer["dpkt"]), keep),
        Goal("`read_packets`, mtu, x scapy", 10_000, _ratio(read, peer["scapy"]), keep),
    ]


def _thrift(runs: list[Run]) -> list[Goal]:
    sizes = [run for run in runs if run.get("case") == "by size" and run.get("engine") == "native"]
    peak = max((run.get("peak") / 1e6 for run in sizes), default=None)
    start, empty = (_one(runs, case="start-up", what=what) for what in ("analyze", "import numpy"))
    ratio = start.seconds / empty.seconds if start and empty else None
    columns = (
        "with columns alone, frames have to be sorted by connection, which takes as long for small "
        "frames as for large ones"
    )
    flows = [
        Goal(
            f"connections, {kind}, {engine}, x `analyze` without them",
            0.5,
            _share_of_flows(runs, engine, kind),
            columns,
            at_most=True,
        )
        for engine in ("native", "numpy")
        for kind in ("mtu", "small")
    ]
    return [
        Goal("peak memory of any size, MB", 250, peak, "tables are too large", at_most=True),
        Goal(
            "start-up of `vxcsum analyze`, x `import numpy`",
            2,
            ratio,
            "too many modules are loaded",
            at_most=True,
        ),
        *flows,
    ]


def _share_of_flows(runs: list[Run], engine: str, kind: str) -> float | None:
    whole, flows = _analyze(runs, kind, engine), _one(runs, case="flows", kind=kind, engine=engine)
    if not (whole and flows):
        return None
    return 1 / flows.frame_rate / (1 / whole.frame_rate - 1 / flows.frame_rate)


def stages(runs: list[Run]) -> list[str]:
    """Return the table of where the time of `analyze` goes."""
    head = [
        "",
        "analyze",
        "reading",
        "scanning",
        "connections",
        "the rest",
        "at best, x read floor",
    ]
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    for kind in ("mtu", "small", "superframes", "imix"):
        parts = [
            _analyze(runs, kind),
            _one(runs, case="read floor", kind=kind),
            *(_one(runs, case=case, kind=kind, engine="native") for case in ("scan", "flows")),
        ]
        spent = [1e3 / run.frame_rate for run in parts if run]
        if len(spent) < len(parts):
            continue  # the kernel is not there
        cells = [*spent, spent[0] - sum(spent[1:]), spent[1] / (spent[1] + spent[2])]
        lines.append(f"| {kind} | " + " | ".join(map(number, cells)) + " |")
    return lines
