"""Measure everything and write docs/benchmarks.md and docs/benchmarks.svg.

::

    python -m benchmarks.report                     minutes, 6 GB in the temporary folder
    python -m benchmarks.report --quick --output FOLDER     small captures, to see that it works
    python -m benchmarks.report --runs 5            the middle of five runs, where others compute
    python -m benchmarks.report --json FILE...      from earlier runs' pytest-benchmark files

The plot needs the extra ``plot``; tools that are not installed are left out, with a note.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import vxcsum
from benchmarks.goals import WHERE, Run, goals, number, stages
from benchmarks.peers import version_of

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
QUICK = ["--octets", "5M", "--process-octets", "10M", "--largest", "10M", "--times", "2"]
_NOTES = """\
Median of the rounds; captures are in the page cache. GB are 10^9 octets of uncompressed
capture. The floor is reading the same file through one buffer of 8 MiB. `jobs` is the number of
threads asked for. Slow peers get a slice of the same kind of frames; their figures are per
octet and frame of the slice. tshark verifies and prints the checksum states (`-T fields`),
tcpdump prints with `-vv`, the loops over dpkt and scapy parse each frame and sum outer and
inner headers and segments. All peers use one thread. Commands find their bytecode compiled, as
installed packages have it.
"""


def measured(arguments: list[str]) -> dict[str, Any]:
    """Run the benchmarks and return what pytest-benchmark wrote."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "benchmarks.json"
        command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"]
        command += ["benchmarks", f"--benchmark-json={target}", "--benchmark-disable-gc"]
        subprocess.run([*command, *arguments], cwd=ROOT, check=True)
        document: dict[str, Any] = json.loads(target.read_text("utf-8"))
        return document


def _table(runs: list[Run], kind: str) -> list[str]:
    """Return the rows for one kind of capture, with the ratios to the floor and to each peer."""
    chosen = [r for r in runs if r.get("kind") == kind and r.get("case") not in SEPARATE]
    floor = next((r for r in chosen if r.get("case") == "read floor"), None)
    peers = [r for r in chosen if r.get("case") == "peer"]
    head = ["what", "MB", "GB/s", "million frames/s", "x read floor"]
    head += [f"x {peer.name}" for peer in peers]
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    for run in chosen:
        cells = [run.name, number(run.get("octets") / 1e6), number(run.octet_rate)]
        cells.append(number(run.frame_rate))
        cells.append(number(run.octet_rate / floor.octet_rate) if floor else "")
        cells += [number(run.frame_rate / peer.frame_rate) for peer in peers]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


SEPARATE = ("by size", "start-up")


def _by_size(runs: list[Run]) -> list[str]:
    lines = [
        "| engine | MB | seconds | GB/s | peak memory, MB |",
        "|---|---:|---:|---:|---:|",
    ]
    for run in runs:
        if run.get("case") == "by size":
            cells = [run.get("engine"), number(run.get("octets") / 1e6), f"{run.seconds:.3f}"]
            cells += [number(run.octet_rate), number(run.get("peak") / 1e6)]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def _linearity(runs: list[Run]) -> list[str]:
    lines = []
    for engine in ("native", "numpy"):
        points = [r for r in runs if r.get("case") == "by size" and r.get("engine") == engine]
        if len(points) < 3:
            continue
        size = np.array([point.get("octets") for point in points], float)
        seconds = np.array([point.seconds for point in points])
        slope, start = np.polyfit(size, seconds, 1, w=1 / seconds)
        off = np.abs(slope * size + start - seconds) / seconds
        lines.append(
            f"* {engine}: {start:.2f} s + {slope * 1e9:.3f} s for each GB; "
            f"no measurement is more than {off.max():.0%} off that line."
        )
    return lines


def _machine(document: dict[str, Any]) -> list[str]:
    said = document["machine_info"]
    processor = said.get("cpu", {}).get("brand_raw") or platform.processor()
    lines = [
        f"* {processor}, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.release().split('-')[0]}, {platform.machine()}",
        f"* Python {said['python_version']}, NumPy {np.__version__}, vxcsum {vxcsum.__version__}",
        f"* measured {document['datetime'][:10]}"
        + (f", the middle of {document['runs']} runs" if document["runs"] > 1 else ""),
    ]
    versions = {tool: version_of(tool) for tool in ("tshark", "tcpdump")}
    lines += [f"* {line or f'{tool}: not installed'}" for tool, line in versions.items()]
    for module in ("dpkt", "scapy"):
        try:
            version = __import__(module).__version__
        except ImportError:
            version = "not installed"
        lines.append(f"* {module}: {version}")
    return lines


def joined(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one document: of each measurement the one in the middle."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for document in documents:
        for record in document["benchmarks"]:
            by_name.setdefault(record["fullname"], []).append(record)
    for records in by_name.values():
        records.sort(key=lambda record: float(record["stats"]["median"]))
    middle = [records[len(records) // 2] for records in by_name.values()]
    return {**documents[-1], "benchmarks": middle, "runs": len(documents)}


def page(document: dict[str, Any]) -> str:
    """Return the page that docs/benchmarks.md is."""
    runs = [Run(record) for record in document["benchmarks"]]
    lines = ["# Benchmarks", "", "Written by `python -m benchmarks.report`.", "", _NOTES]
    if (DOCS / "benchmarks.svg").exists():
        lines += ["![million frames a second](benchmarks.svg)", ""]
    lines += ["## Machine", "", *_machine(document)]
    lines += ["", "## Goals", "", *goals(runs)]
    lines += ["", "## Where the time goes", "", WHERE, *stages(runs)]
    for kind in dict.fromkeys(str(run.get("kind")) for run in runs):
        lines += ["", f"## {kind}", "", *_table(runs, kind)]
    lines += [
        "",
        "## By size of the capture",
        "",
        "`vxcsum analyze` as a process, mtu, one thread.",
        "",
    ]
    lines += [*_by_size(runs), "", *_linearity(runs)]
    lines += ["", "## Start-up", "", "| what | ms |", "|---|---:|"]
    for run in runs:
        if run.get("case") == "start-up":
            what = str(run.get("what"))
            name = (
                "`vxcsum analyze` of ten frames" if what == "analyze" else f'`python -c "{what}"`'
            )
            lines.append(f"| {name} | {run.seconds * 1e3:.0f} |")
    return "\n".join(lines) + "\n"


def plot(document: dict[str, Any], target: Path) -> bool:
    """Draw frames a second of everything measured; False where matplotlib is not installed."""
    try:
        import matplotlib as mpl
    except ImportError:
        return False
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "vxcsum"
    from matplotlib import pyplot

    runs = [Run(record) for record in document["benchmarks"]]
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for axis, kind in zip(axes, ("mtu", "small"), strict=True):
        chosen = [r for r in runs if r.get("kind") == kind and r.get("case") not in SEPARATE]
        chosen.sort(key=lambda run: run.frame_rate)
        colors = {"peer": "#b0b0b0", "read floor": "#606060", "numpy.sum floor": "#606060"}
        axis.barh(
            [run.name for run in chosen],
            [run.frame_rate for run in chosen],
            color=[colors.get(str(run.get("case")), "#2a6fbb") for run in chosen],
        )
        axis.set_xscale("log")
        axis.set_xlabel("million frames a second")
        axis.set_title(kind)
        axis.grid(axis="x", alpha=0.3)
    figure.savefig(target, metadata={"Date": None})
    return True


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--quick", action="store_true", help="small captures, not for docs")
    parser.add_argument("--runs", type=int, metavar="N", default=1, help="the middle of so many")
    parser.add_argument(
        "--json", type=Path, nargs="+", metavar="FILE", help="do not measure, read these"
    )
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep the measurements there")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: docs")
    chosen, more = parser.parse_known_args()
    if chosen.quick and chosen.output is None:
        parser.error("--quick measures too little for docs: wanted --output FOLDER")
    folder = chosen.output or DOCS
    if chosen.json:
        documents = [json.loads(path.read_text("utf-8")) for path in chosen.json]
    else:
        options = [*(QUICK if chosen.quick else []), *more]
        documents = [measured(options) for _ in range(max(1, chosen.runs))]
    document = joined(documents)
    if chosen.keep:
        chosen.keep.write_text(json.dumps(document, indent=1), encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    drawn = plot(document, folder / "benchmarks.svg")
    (folder / "benchmarks.md").write_text(page(document), encoding="utf-8")
    note = "" if drawn else "; no plot, because matplotlib is not installed"
    sys.stdout.write(f"{folder / 'benchmarks.md'}{note}\n")


if __name__ == "__main__":
    main()
