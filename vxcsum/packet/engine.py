"""Choosing the kernel: the compiled one where there is one, the NumPy one otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from vxcsum.errors import VxcsumError

if TYPE_CHECKING:
    from vxcsum.capture import Index
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
        *,
        into: Columns | None = None,
        jobs: int = 1,
    ) -> tuple[Columns, AnyArray]:
        """Dissect and sum the frames of one block; see `vxcsum.packet.vectorized.scan`."""
        ...


def _vectorized() -> Engine:
    from vxcsum.packet import vectorized  # only where it is used: the compiled one needs none of it

    return cast("Engine", vectorized)


def _compiled() -> Engine | None:
    try:
        from vxcsum.packet import native
    except ImportError:  # built without a compiler: no matter for a warning
        return None
    return cast("Engine", native)


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
    if name == "numpy":
        return _vectorized()
    engine = _compiled()
    if engine is None and name == "native":
        problem = (
            "engine 'native' is not available: this installation has no compiled kernel; "
            "with a C compiler: VXCSUM_BUILD_KERNEL=require pip install --no-binary vxcsum vxcsum"
        )
        raise VxcsumError(problem)
    return engine or _vectorized()


def index_of(engine: Engine) -> Index | None:
    """Return the record indexer that comes with a kernel; None stands for the Python one."""
    return cast("Index", engine) if engine.NAME == "native" else None


#: The kernel that ``engine="auto"`` uses.
kernel: str = load_engine().NAME
