"""Choosing the kernel: the compiled one where there is one, the NumPy one otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from vxcsum.errors import VxcsumError
from vxcsum.packet import vectorized

if TYPE_CHECKING:
    from vxcsum.packet.columns import I64, U8, U16, U32, AnyArray, Bool, Columns

ENGINES = ("auto", "native", "numpy")


class Engine(Protocol):
    """What a kernel module offers."""

    NAME: str

    def scan(
        self,
        octets: U8,
        offset: I64,
        caplen: U32,
        origlen: U32,
        linktype: U16,
        direction: U8,
        ports: Bool,
    ) -> tuple[Columns, AnyArray]:
        """Dissect and sum the frames of one block; see `vxcsum.packet.vectorized.scan`."""
        ...


def load_engine(name: str = "auto") -> Engine:
    """Return a kernel by name.

    Raises
    ------
    VxcsumError
        The name is unknown, or the kernel is not part of this installation.
    """
    if name not in ENGINES:
        problem = f"unknown engine {name!r}: wanted one of {', '.join(ENGINES)}"
        raise VxcsumError(problem)
    if name == "native":
        problem = "engine 'native' is not available: this installation has no compiled kernel"
        raise VxcsumError(problem)
    return vectorized


#: The kernel that ``engine="auto"`` uses.
kernel: str = load_engine().NAME
