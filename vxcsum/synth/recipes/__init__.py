"""Small captures with one mistake each, and look-alikes: see `RECIPES`.

The order of the imports is that of the manifest in ``captures/synthetic``.
"""

from __future__ import annotations

from vxcsum.synth.recipes import (  # isort: skip
    outer_nat,
    segmentation,
    unfinished,
    inner,
    policy,
    arithmetic,
    damage,
    recording,
    lookalikes,
    connections,
)
from vxcsum.synth.recipes.recipe import RECIPES, Recipe, marked_frames

__all__ = [
    "RECIPES",
    "Recipe",
    "arithmetic",
    "connections",
    "damage",
    "inner",
    "lookalikes",
    "marked_frames",
    "outer_nat",
    "policy",
    "recording",
    "segmentation",
    "unfinished",
]
