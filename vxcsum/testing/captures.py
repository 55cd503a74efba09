"""Captures by name: those that ship with vxcsum, and those of a project."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from vxcsum.errors import VxcsumError

if TYPE_CHECKING:
    from collections.abc import Sequence

_FOLDER = Path(__file__).parent / "captures"
#: Recorded from real kernels; each is one of those in ``captures/`` of the project.
SHIPPED = {
    "63-seconds": "kernel/u61bug-k8s-clusterip-norehash.snd.pcap",
    "healthy": "netns/udpcsum_nat_vxtxoff_rx.pcap",
    "offload": "kernel/u61fix-k8s-clusterip.snd.pcap",
    "vx101": "kernel/u61bug-nat-masq-random.rcv.pcap",
    "vx102": "netns/udpcsum_nat_rx.pcap",
}
_SUFFIXES = (".pcap", ".pcapng")


def capture_file(name: str, folders: Sequence[Path] = ()) -> Path:
    """Return the file of a capture.

    Parameters
    ----------
    name : str
        A path below one of the folders; the name of a file anywhere below them, with or without
        its suffix; or a capture that ships with vxcsum.
    folders : sequence of Path
        They are looked into first.

    Raises
    ------
    VxcsumError
        There is none, or there are several.

    Examples
    --------
    >>> capture_file("vx101").name
    'vx101.pcap'
    """
    for folder in folders:
        exact = folder / name
        if exact.is_file():
            return exact
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        matching = [path for path in files if name in _names(path)]
        if len(matching) > 1:
            several = ", ".join(str(path.relative_to(folder)) for path in matching[:5])
            problem = f"{len(matching)} captures are called {name!r} in {folder}: {several}"
            raise VxcsumError(problem)
        if matching:
            return matching[0]
    stem = name.removesuffix(".pcap")
    if stem in SHIPPED:
        return _FOLDER / f"{stem}.pcap"
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    known = [*SHIPPED, *(_names(path)[0] for path in files)]
    near = difflib.get_close_matches(name, known, 3, 0.5)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    where = f" in {', '.join(map(str, folders))}, and" if folders else ""
    problem = f"no capture {name!r}{where} among {', '.join(SHIPPED)}{hint}"
    raise VxcsumError(problem)


def _names(path: Path) -> tuple[str, ...]:
    return (path.name, path.stem) if path.suffix in _SUFFIXES else (path.name,)
