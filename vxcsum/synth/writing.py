"""Captures of any size: a scenario, and healthy traffic around it."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from vxcsum.errors import VxcsumError
from vxcsum.source.whole import whole_file, write_whole
from vxcsum.synth.build import START, records_of
from vxcsum.synth.bulk import Bulk
from vxcsum.synth.containers import Container, container_of
from vxcsum.synth.packet import ETHERNET
from vxcsum.synth.recipes import Recipe, marked_frames
from vxcsum.synth.scenarios import HEALTHY, recipe_of
from vxcsum.synth.shapes import SAID_OF, SHAPES
from vxcsum.synth.truth import Truth, marked_of

DEFAULT_FRAMES = 1000
_PAUSE = 1000  # microseconds around a scenario


@dataclass(frozen=True, slots=True)
class _Making:
    """One making of a recipe, as records."""

    data: bytes
    frames: int
    duration: int
    findings: dict[str, list[int]]
    info: dict[str, list[int]]

    @property
    def marked(self) -> int:
        return len(marked_of(self.findings, self.info))


def _making(recipe: Recipe, seed: int, offset: int, container: Container) -> _Making:
    records = list(records_of(recipe.packets(seed), recipe.linktype))
    data = [container.record(r.octets, START + offset + r.offset, r.original) for r in records]
    findings, info = marked_frames([r.owner for r in records])
    duration = records[-1].offset + _PAUSE
    return _Making(b"".join(data), len(records), duration, findings, info)


class _Writer:
    """Puts a capture together, and notes what is true of it."""

    def __init__(
        self, out: IO[bytes], recipe: Recipe | None, container: Container, shape: str, seed: int
    ) -> None:
        self.linktype = ETHERNET if recipe is None else recipe.linktype
        self._out, self._container = out, container
        self._shape, self._seed = shape, seed
        self._bulk: Bulk | None = None
        self._offset = 0
        self.frames = 0
        self.octets = self._write(container.header(self.linktype))
        self.findings: dict[str, list[int] | None] = dict(recipe.findings) if recipe else {}
        self.info: dict[str, list[int] | None] = dict(recipe.info) if recipe else {}

    @property
    def bulk(self) -> Bulk:
        if self._bulk is None:
            row = SHAPES[self._shape]
            self._bulk = Bulk(row, self.linktype, self._container, self._seed)
        return self._bulk

    def _write(self, data: bytes) -> int:
        self._out.write(data)
        return len(data)

    def healthy(self, frames: int) -> None:
        if frames <= 0:
            return
        octets, self._offset = self.bulk.write(self._out, frames, self._offset)
        self._offset += _PAUSE
        self.frames += frames
        self.octets += octets
        for code in SAID_OF.get(self._shape, ()):
            self.info.setdefault(code, None)

    def make(self, recipe: Recipe, seed: int) -> _Making:
        return _making(recipe, seed, self._offset, self._container)

    def scenario(self, making: _Making, shorten: int) -> None:
        self.octets += self._write(making.data[:-shorten] if shorten else making.data)
        for into, marks in ((self.findings, making.findings), (self.info, making.info)):
            for rule, numbers in marks.items():
                into[rule] = [*(into.get(rule) or ()), *(self.frames + n for n in numbers)]
        self.frames += making.frames - bool(shorten)
        self._offset += making.duration


def write_capture(
    scenario: str,
    destination: str | os.PathLike[str] | IO[bytes],
    *,
    frames: int | None = None,
    seed: int = 0,
    rate: float | None = None,
    size: int | None = None,
    shape: str | None = None,
    container: str | None = None,
) -> Truth:
    """Write a capture, and what is true of it beside it, as ``DESTINATION.truth.json``.

    The same arguments give the same octets.

    Parameters
    ----------
    scenario : str
        A rule code, the name of a recipe (``vx101-vlan``, ``like-snat``), or ``healthy``.
    destination : path or binary file
        ``.pcapng`` is written as pcapng, all else as pcap. Nothing is written beside an open file.
    frames : int, optional
        How many in all. Healthy traffic fills up what the scenario leaves; without ``frames``,
        ``rate`` and ``size`` there is the scenario alone, or 1,000 healthy frames.
    seed : int
        From 0.
    rate : float, optional
        Share of the frames that are wrong: the scenario is made as often as needed, with
        other random numbers each time, and rounded to whole makings. Where None, once, or as
        often as fits where the rule is about whole captures (VX306, VX908).
    size : int, optional
        Octets of the file, met to within one frame. Not with ``frames``.
    shape : str, optional
        Of the healthy traffic: ``mixed``, ``large``, ``small``, ``ipv6``, ``plain``, ``sender`` or
        ``summed``. By default ``mixed``, and around a scenario ``summed``, where every checksum
        is there.
    container : {"pcap", "pcapng"}, optional

    Returns
    -------
    Truth

    Raises
    ------
    VxcsumError
        No such scenario or shape; numbers that cannot be met; a file that cannot be written.
    """
    if not isinstance(destination, (str, os.PathLike)):
        form = container_of("", container)
        name = f"{scenario}.{form.name}"
        return _compose(destination, scenario, frames, seed, rate, size, shape, form, name)
    path = Path(destination)
    form = container_of(path.name, container)
    with whole_file(path) as out:
        truth = _compose(out, scenario, frames, seed, rate, size, shape, form, path.name)
    if path.is_file():  # nothing belongs beside a pipe
        write_whole(truth_file(path), truth.to_json())
    return truth


def make_capture(
    scenario: str,
    *,
    frames: int | None = None,
    seed: int = 0,
    rate: float | None = None,
    size: int | None = None,
    shape: str | None = None,
    container: str = "pcap",
) -> tuple[bytes, Truth]:
    """Return the octets of a capture, and what is true of it; parameters as for `write_capture`.

    Examples
    --------
    >>> import vxcsum
    >>> capture, truth = make_capture("VX101", frames=500)
    >>> [(rule, len(frames)) for rule, frames in truth.findings.items()]
    [('VX101', 32)]
    >>> [(f.code, f.frames) for f in vxcsum.analyze(capture).findings]
    [('VX101', 16), ('VX101', 16)]
    """
    out = io.BytesIO()
    truth = write_capture(
        scenario,
        out,
        frames=frames,
        seed=seed,
        rate=rate,
        size=size,
        shape=shape,
        container=container,
    )
    return out.getvalue(), truth


def truth_file(path: str | os.PathLike[str]) -> Path:
    """Return where the truth about a capture is written."""
    return Path(f"{path}.truth.json")


def _compose(
    out: IO[bytes],
    scenario: str,
    frames: int | None,
    seed: int,
    rate: float | None,
    size: int | None,
    shape: str | None,
    container: Container,
    name: str,
) -> Truth:
    recipe = recipe_of(scenario)
    shape = shape or ("summed" if recipe else "mixed")
    _check(frames, seed, rate, size, shape)
    writer = _Writer(out, recipe, container, shape, seed)
    if recipe is None:
        if rate:
            problem = f"rate {rate}: nothing is wrong in healthy traffic, so it can only be 0"
            raise VxcsumError(problem)
        if size is not None:
            frames = writer.bulk.frames_within(size - writer.octets)
        writer.healthy(DEFAULT_FRAMES if frames is None else frames)
    else:
        _with_scenario(writer, recipe, frames, seed, rate, size)
    return Truth(
        scenario=HEALTHY if recipe is None else recipe.name,
        about=f"Healthy traffic of the shape {shape}." if recipe is None else recipe.about,
        seed=seed,
        capture=name,
        container=container.name,
        linktype=writer.linktype,
        frames=writer.frames,
        octets=writer.octets,
        findings=writer.findings,
        info=writer.info,
        recovered=recipe.recovered if recipe else {},
        options=recipe.options if recipe else {},
    )


def _check(frames: int | None, seed: int, rate: float | None, size: int | None, shape: str) -> None:
    problem = None
    if frames is not None and size is not None:
        problem = "frames and size are both given: wanted one of them"
    elif frames is not None and frames < 1:
        problem = f"{frames} frames: wanted 1 or more"
    elif size is not None and size < 1:
        problem = f"a size of {size} octets: wanted 1 or more"
    elif seed < 0:
        problem = f"seed {seed}: wanted 0 or more"
    elif rate is not None and not 0 <= rate <= 1:
        problem = f"rate {rate}: wanted a share from 0 to 1"
    elif shape not in SHAPES:
        problem = f"unknown shape {shape!r}: wanted one of {', '.join(SHAPES)}"
    if problem is not None:
        raise VxcsumError(problem)


def _with_scenario(
    writer: _Writer,
    recipe: Recipe,
    frames: int | None,
    seed: int,
    rate: float | None,
    size: int | None,
) -> None:
    first = writer.make(recipe, seed)
    _check_room(writer, recipe, first, frames, size)
    makings, between = 1, 0
    if recipe.whole and rate is None:
        makings = max(1, (frames or 0) // first.frames, (size or 0) // len(first.data))
    elif rate is not None:
        makings, between = _plan(writer, recipe, first, frames, rate, size)
    for number in range(makings):
        last = number == makings - 1
        # Seeds of one capture are far from those of the next.
        each = seed if number == 0 else (seed << 32) + number
        filler = between
        if last and (frames is not None or size is not None):
            making = writer.make(recipe, each)
            filler = _room(writer, making, frames, size)
            if filler < 0:  # no two makings are of one size
                writer.healthy(_room(writer, None, frames, size))
                return
        writer.healthy(filler)
        writer.scenario(writer.make(recipe, each), recipe.shorten if last else 0)


def _room(writer: _Writer, making: _Making | None, frames: int | None, size: int | None) -> int:
    """Return how many healthy frames fit beside a making; less than 0 if it does not fit itself."""
    if frames is not None:
        return frames - writer.frames - (making.frames if making else 0)
    octets = (size or 0) - writer.octets - (len(making.data) if making else 0)
    return writer.bulk.frames_within(octets) if octets >= 0 else -1


def _check_room(
    writer: _Writer, recipe: Recipe, making: _Making, frames: int | None, size: int | None
) -> None:
    problem = None
    if frames is not None and frames < making.frames:
        problem = f"{frames} frames are too few: {recipe.name} has {making.frames} itself"
    elif size is not None and size < writer.octets + len(making.data):
        itself = writer.octets + len(making.data)
        problem = f"{size} octets are too few: {recipe.name} has {itself} itself"
    if problem is not None:
        raise VxcsumError(problem)


def _plan(
    writer: _Writer,
    recipe: Recipe,
    making: _Making,
    frames: int | None,
    rate: float,
    size: int | None,
) -> tuple[int, int]:
    """Return how often a recipe is made, and the healthy frames before each making."""
    highest = making.marked / making.frames
    if not making.marked:
        problem = f"rate {rate}: {recipe.name} has no frames of its own to count"
        raise VxcsumError(problem)
    if not 0 < rate <= highest:
        problem = f"rate {rate}: {recipe.name} can have more than 0 and up to {highest:.3f}"
        raise VxcsumError(problem)
    each = making.marked / rate  # frames for one making
    between = round(each - making.frames)
    if frames is not None:
        return max(1, round(frames / each)), between
    if size is not None:
        healthy = (1 << 24) / max(1, writer.bulk.frames_within(1 << 24))
        octets = len(making.data) + between * healthy
        return max(1, round((size - writer.octets) / octets)), between
    return 1, between
