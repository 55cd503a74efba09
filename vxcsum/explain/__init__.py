"""One frame as a teacher would show it: headers, sums in steps, and the formulas that fit."""

from __future__ import annotations

from vxcsum.explain.explanation import Explanation, explain

__all__ = ["Explanation", "explain"]
