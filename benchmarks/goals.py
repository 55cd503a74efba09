"""What vxcsum set out to reach, what it reached, and where the time goes."""

from __future__ import annotations

from typing import Any

Stage = tuple[str, float | None]

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


def goals(runs: list[Run]) -> list[str]:
    """Return the table of the goals."""
    floor = {kind: _one(runs, case="read floor", kind=kind) for kind in ("mtu", "superframes")}
    peer = {
        tool: _one(runs, case="peer", kind="mtu", tool=tool)
        for tool in ("tcpdump", "tshark", "dpkt", "scapy")
    }
    two = _analyze(runs, "mtu", jobs=2)
    small, scan = _analyze(runs, "small"), _one(runs, case="scan", kind="small", engine="native")
    process = _one(runs, case="process", engine="native", jobs=2)
    read = _one(runs, case="read_packets", kind="mtu", engine="native")
    numpy = [_analyze(runs, kind, "numpy") for kind in ("mtu", "small")]
    sizes = [run for run in runs if run.get("case") == "by size" and run.get("engine") == "native"]
    peak = max((run.get("peak") / 1e6 for run in sizes), default=None)
    start, empty = (_one(runs, case="start-up", what=what) for what in ("analyze", "import numpy"))
    least: list[Stage] = [
        ("0.7", _ratio(_analyze(runs, "mtu"), floor["mtu"])),
        ("1.2", _ratio(two, floor["mtu"])),
        ("8", small and small.frame_rate),
        ("20", scan and scan.frame_rate),
        ("1.5", _ratio(_analyze(runs, "superframes"), floor["superframes"])),
        ("10", _ratio(process, peer["tcpdump"])),
        ("150", _ratio(process, peer["tshark"])),
        ("500", _ratio(read, peer["dpkt"])),
        ("10,000", _ratio(read, peer["scapy"])),
        ("0.8", numpy[0] and numpy[0].octet_rate),
        ("1.5", numpy[1] and numpy[1].frame_rate),
        ("below 250", peak),
        ("below 2", start.seconds / empty.seconds if start and empty else None),
        *(("below 0.5", _share_of_flows(runs, *what)) for what in _FLOWS),
    ]
    lines = ["| | goal | here |", "|---|---:|---:|"]
    for what, (goal, value) in zip(_GOALS, least, strict=True):
        lines.append(f"| {what} | {goal} | {number(value)} |")
    return lines


_FLOWS = [(engine, kind) for engine in ("native", "numpy") for kind in ("mtu", "small")]
_GOALS = (
    "`analyze`, mtu, one thread, x read floor",
    "`analyze`, mtu, two threads, x read floor",
    "`analyze`, small, one thread, million frames/s",
    "scan alone, small, million frames/s",
    "`analyze`, superframes, one thread, x read floor",
    "whole process, mtu, x `tcpdump -vv`",
    "whole process, mtu, x tshark",
    "`read_packets`, mtu, x dpkt",
    "`read_packets`, mtu, x scapy",
    "NumPy twin, `analyze`, mtu, GB/s",
    "NumPy twin, `analyze`, small, million frames/s",
    "peak memory of any size, MB",
    "start-up of `vxcsum analyze`, x `import numpy`",
    *(f"connections, {kind}, {engine}, x `analyze` without them" for engine, kind in _FLOWS),
)


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
