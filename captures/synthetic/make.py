"""Make the captures of this folder and their manifest.

    python captures/synthetic/make.py [FOLDER]

The recipes are those of `vxcsum.synth.recipes`, which shares no arithmetic with what verifies.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vxcsum.synth.build import small_capture
from vxcsum.synth.recipes import RECIPES, marked_frames

if TYPE_CHECKING:
    from vxcsum.synth.packet import Packet
    from vxcsum.synth.recipes import Recipe

FOLDER = Path(__file__).resolve().parent
#: What happens to connections is shown by captures of real kernels.
KEPT = [recipe for recipe in RECIPES.values() if not recipe.name.startswith("vx7")]


def entry_of(recipe: Recipe, owners: list[Packet]) -> dict[str, Any]:
    """What the manifest says of a capture."""
    serious, infos = marked_frames(owners)
    entry: dict[str, Any] = {
        "file": f"{recipe.name}.pcap",
        "about": recipe.about,
        "frames": len(owners),
        "findings": {**recipe.findings, **serious},
        "info": {**recipe.info, **infos},
    }
    for name in ("options", "recovered", "confidence"):
        if getattr(recipe, name):
            entry[name] = getattr(recipe, name)
    if recipe.resembles:
        known = set(entry["findings"]) | set(entry["info"])
        entry["resembles"] = sorted(set(recipe.resembles) - known)
    return entry


def main(folder: Path) -> None:
    """Write all captures and the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    entries, total = [], 0
    for recipe in KEPT:
        data, owners = small_capture(recipe)
        (folder / f"{recipe.name}.pcap").write_bytes(data)
        entries.append(entry_of(recipe, owners))
        total += len(data)
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    (folder / "manifest.json").write_text(f'{{"captures": [\n{lines}\n]}}\n', encoding="utf-8")
    print(f"{len(entries)} captures, {total:,} octets")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
