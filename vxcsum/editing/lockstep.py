"""Judging and copying a capture side by side, in bounded memory.

The judgement of a frame may come later than its octets: fragments wait for one another. So a
capture is read twice at once, and the copy follows the judgement.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.errors import VxcsumError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import AnyArray


class Lockstep:
    """What is known of frames, handed out up to the frame that the copy has reached.

    Parameters
    ----------
    parts : iterator of (int, ndarray)
        The last frame a part is about, and rows with a field ``frame``, in order.
    name : str
        The capture, for the error.
    """

    def __init__(self, parts: Iterator[tuple[int, AnyArray]], name: str) -> None:
        self._parts = parts
        self._name = name
        self._waiting: deque[AnyArray] = deque()
        self._known = 0

    def until(self, frame: int) -> list[AnyArray]:
        """Return the rows of all frames up to one that were not returned before.

        Raises
        ------
        VxcsumError
            The judgement ended earlier: the capture has changed in between.
        """
        while self._known < frame:
            part = next(self._parts, None)
            if part is None:
                problem = f"{self._name} changed while it was read: try again with a copy of it"
                raise VxcsumError(problem)
            self._known = part[0]
            self._waiting.append(part[1])
        out = []
        while self._waiting:
            rows = self._waiting.popleft()
            count = int(np.searchsorted(rows["frame"], frame, side="right"))
            out.append(rows[:count])
            if count < len(rows):
                self._waiting.appendleft(rows[count:])
                break
        return out
