"""Build the optional extensions; everything else lives in pyproject.toml.

``VXCSUM_BUILD_KERNEL`` is ``auto`` (build it, or go on without it where that fails), ``require``
(fail where it cannot be built) or ``skip``.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, CompileError, ExecError, PlatformError

MODES = ("auto", "require", "skip")
MODE = os.environ.get("VXCSUM_BUILD_KERNEL", "auto")
# The stable ABI of CPython 3.11 is not that of free-threaded builds.
STABLE_ABI = not sysconfig.get_config_var("Py_GIL_DISABLED")
CPYTHON = sys.implementation.name == "cpython"

if MODE not in MODES:
    sys.exit(f"VXCSUM_BUILD_KERNEL is {MODE!r}: wanted one of {', '.join(MODES)}")

KERNELS = [
    Extension(
        f"vxcsum.{floor}._native",
        [f"vxcsum/{floor}/native.c"],
        depends=sorted(map(str, Path("vxcsum").glob("*/native_*.h"))),
        define_macros=[("Py_LIMITED_API", "0x030B0000")] if STABLE_ABI else [],
        py_limited_api=STABLE_ABI,
    )
    for floor in ("packet", "flow")
]


class BuildKernel(build_ext):
    """Drop the extensions, rather than the installation, when they cannot be compiled."""

    def run(self) -> None:
        """Build what can be built."""
        try:
            super().run()
        except (CCompilerError, CompileError, ExecError, PlatformError, OSError) as error:
            if MODE == "require":
                raise
            self.warn(f"vxcsum: kernel not built ({error}); the NumPy fallback will be used")
            for extension in self.extensions:  # one alone is of no use
                Path(self.get_ext_fullpath(extension.name)).unlink(missing_ok=True)
            self.extensions = []
            self.distribution.ext_modules = []

    def build_extensions(self) -> None:
        """Ask for C11 and for vectorised loops."""
        microsoft = self.compiler.compiler_type == "msvc"
        for extension in self.extensions:
            extension.extra_compile_args += (
                ["/std:c11", "/O2"] if microsoft else ["-std=c11", "-O3"]
            )
        super().build_extensions()


class TagWheel(bdist_wheel):
    """Name the wheel after what was really built."""

    def run(self) -> None:
        """Build before the name is made."""
        self.run_command("build")
        if not self.distribution.ext_modules:
            self.root_is_pure = True
            self.py_limited_api = ""
        super().run()


setup(
    ext_modules=KERNELS if CPYTHON and MODE != "skip" else [],
    cmdclass={"build_ext": BuildKernel, "bdist_wheel": TagWheel},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if STABLE_ABI else {},
)
