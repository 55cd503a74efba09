"""Check that the captures of this folder are those of the manifests.

Run it with ``python captures/check.py`` where vxcsum is installed. Recorded captures have a
checksum in ``manifest.json``, and those of ``cases`` in the one there. Those of ``synthetic`` are
made again and compared.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
CASES = "cases"
SYNTHETIC = "synthetic"
SUFFIXES = (".pcap", ".pcapng", ".gz", ".zst", ".xz", ".lz4")
MAX_OCTETS = 8_000_000


def entries(folder: Path) -> list[dict[str, Any]]:
    """Return what the manifest of a folder lists."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    listed: list[dict[str, Any]] = manifest["captures"]
    return listed


def problems() -> list[str]:
    """Return what differs between the manifests and the files."""
    wanted = {entry["file"]: (entry["bytes"], entry["sha256"]) for entry in entries(FOLDER)}
    if (FOLDER / CASES).is_dir():
        for entry in entries(FOLDER / CASES):
            wanted[f"{CASES}/{entry['file']}"] = entry["bytes"], entry["sha256"]
    if (FOLDER / SYNTHETIC).is_dir():
        with tempfile.TemporaryDirectory() as made:
            script = FOLDER / SYNTHETIC / "make.py"
            subprocess.run([sys.executable, script, made], check=True, stdout=subprocess.DEVNULL)
            for entry in entries(Path(made)):
                octets = (Path(made) / entry["file"]).read_bytes()
                name = f"{SYNTHETIC}/{entry['file']}"
                wanted[name] = len(octets), hashlib.sha256(octets).hexdigest()
    there = {
        path.relative_to(FOLDER).as_posix(): path
        for path in FOLDER.rglob("*")
        if path.suffix in SUFFIXES
    }
    found = [f"{name}: in no manifest" for name in sorted(set(there) - set(wanted))]
    found += [f"{name}: missing" for name in sorted(set(wanted) - set(there))]
    total = 0
    for name in sorted(set(there) & set(wanted)):
        octets = there[name].read_bytes()
        total += len(octets)
        if len(octets) != wanted[name][0]:
            found.append(f"{name}: {len(octets)} octets, wanted {wanted[name][0]}")
        elif hashlib.sha256(octets).hexdigest() != wanted[name][1]:
            found.append(f"{name}: other content than wanted")
    if total > MAX_OCTETS:
        found.append(f"{total} octets in all, more than {MAX_OCTETS}")
    if not found:
        print(f"{len(there)} captures, {total:,} octets: as the manifests say")
    return found


if __name__ == "__main__":
    failures = problems()
    for failure in failures:
        print(failure, file=sys.stderr)
    sys.exit(1 if failures else 0)
