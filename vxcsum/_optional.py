"""The optional libraries, each behind one function.

An optional library is imported when it is first needed, and its absence is told with the
line which installs it. No other module imports one of them.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from vxcsum.errors import MissingDependencyError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "fsspec",
    "hypothesis_strategies",
    "lz4_frame",
    "matplotlib",
    "pandas",
    "polars",
    "pyarrow",
    "scapy",
    "zstd",
]


def _load(module: str, *, extra: str, purpose: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        message = f'{purpose} needs an optional library: pip install "vxcsum[{extra}]"'
        raise MissingDependencyError(message) from error


def zstd() -> ModuleType:
    """Return the Zstandard module, ``compression.zstd`` or ``backports.zstd``.

    Returns
    -------
    ModuleType
        A module with ``ZstdDecompressor``.

    Raises
    ------
    MissingDependencyError
        If neither can be imported.
    """
    if sys.version_info >= (3, 14):
        try:
            return importlib.import_module("compression.zstd")
        except ImportError:  # a Python built without it
            pass
    return _load("backports.zstd", extra="zstd", purpose="reading zstd-compressed captures")


def lz4_frame() -> ModuleType:
    """Return the module ``lz4.frame``.

    Returns
    -------
    ModuleType
        A module with ``LZ4FrameDecompressor``.

    Raises
    ------
    MissingDependencyError
        If it cannot be imported.
    """
    return _load("lz4.frame", extra="lz4", purpose="reading lz4-compressed captures")


def fsspec() -> ModuleType:
    """Return the module ``fsspec``.

    Returns
    -------
    ModuleType
        A module with ``open_files``.

    Raises
    ------
    MissingDependencyError
        If it cannot be imported.
    """
    return _load("fsspec", extra="remote", purpose="opening URLs")


def pyarrow(part: str = "") -> ModuleType:
    """Return the module ``pyarrow``, or a part of it.

    Parameters
    ----------
    part : str
        ``"parquet"``, ``"csv"``; the package itself unless given.

    Raises
    ------
    MissingDependencyError
        If it cannot be imported.
    """
    module = f"pyarrow.{part}" if part else "pyarrow"
    return _load(module, extra="tables", purpose="giving tables to other libraries and to files")


def pandas() -> ModuleType:
    """Return the module ``pandas``.

    Raises
    ------
    MissingDependencyError
        If it cannot be imported.
    """
    return _load("pandas", extra="pandas", purpose="making a pandas frame")


def polars() -> ModuleType:
    """Return the module ``polars``.

    Raises
    ------
    MissingDependencyError
        If it cannot be imported.
    """
    return _load("polars", extra="polars", purpose="making a polars frame")


def matplotlib() -> ModuleType:
    """Return the module ``matplotlib``, with ``matplotlib.figure`` loaded, and without pyplot.

    Returns
    -------
    ModuleType
        A module with ``figure.Figure`` and ``rc_context``.

    Raises
    ------
    MissingDependencyError
        If it cannot be imported.
    """
    _load("matplotlib.figure", extra="plot", purpose="plotting")  # loads what else is used here
    return _load("matplotlib", extra="plot", purpose="plotting")


def scapy() -> ModuleType:
    """Return the module ``scapy.all``.

    Returns
    -------
    ModuleType
        A module with ``Packet``, ``Ether``, ``IP`` and ``conf``.

    Raises
    ------
    MissingDependencyError
        If it cannot be imported.
    """
    return _load("scapy.all", extra="scapy", purpose="building frames with scapy")


def hypothesis_strategies() -> ModuleType:
    """Return the module ``hypothesis.strategies``.

    Returns
    -------
    ModuleType
        A module with ``binary``, ``integers`` and ``composite``.

    Raises
    ------
    MissingDependencyError
        If it cannot be imported.
    """
    return _load("hypothesis.strategies", extra="hypothesis", purpose="vxcsum.testing.strategies")
