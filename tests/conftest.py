from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from vxcsum.errors import VxcsumError
from vxcsum.packet.engine import load_engine

PROJECT = Path(__file__).parent.parent
CAPTURES = PROJECT / "captures"
SHARED = PROJECT.parent / "shared" / "captures"

settings.register_profile(
    "vxcsum",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=50,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("vxcsum")


def manifest(folder: Path, key: str = "captures") -> list[Any]:
    """The entries of a manifest as parameters; one skipped parameter where there is none."""
    path = folder / "manifest.json"
    if not path.is_file():
        reason = f"no captures in {folder}"
        return [pytest.param(None, id="absent", marks=pytest.mark.skip(reason=reason))]
    entries = json.loads(path.read_text(encoding="utf-8"))[key]
    return [pytest.param(entry, id=entry["file"]) for entry in entries]


@pytest.fixture(scope="session", params=["numpy", "native"])
def engine(request: pytest.FixtureRequest) -> str:
    """The name of each kernel of this installation."""
    name: str = request.param
    try:
        load_engine(name)
    except VxcsumError as error:
        pytest.skip(str(error))
    return name


@pytest.fixture(scope="session")
def project_captures() -> Path:
    """The captures that ship with the project."""
    if not (CAPTURES / "manifest.json").is_file():
        pytest.skip(f"no manifest in {CAPTURES}")
    return CAPTURES


@pytest.fixture(scope="session")
def shared_captures() -> Path:
    """The larger collection beside a development checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there: the shared captures are no part of the project")
    return SHARED
