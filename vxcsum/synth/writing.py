"""Captures of any size: a scenario, and healthy traffic around it."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING

from vxcsum.errors import VxcsumError
from vxcsum.source.whole import whole_file, write_whole
from vxcsum.synth.build import START
from vxcsum.synth.bulk import Bulk
from vxcsum.synth.containers import Container, container_of
from vxcsum.synth.making import Making, Makings
from vxcsum.synth.packet import ETHERNET
from vxcsum.synth.scenarios import HEALTHY, recipe_of
from vxcsum.synth.shapes import SAID_OF, SHAPES
from vxcsum.synth.truth import Truth

if TYPE_CHECKING:
    from vxcsum.synth.recipes import Recipe

DEFAULT_FRAMES = 1000
_PAUSE = 1000  # microseconds around a scenario


class _Writer:
    """Puts a capture together, and notes what is true of it."""

    def __init__(
        self, out: IO[bytes], recipe: Recipe | None, container: Container, shape: str, seed: int
    ) -> None:
        self.linktype = ETHERNET if recipe is None else recipe.linktype
        self._out, self.container = out, container
        self.shape, self._seed = shape, seed
        self._bulk: Bulk | None = None
        self._offset = 0
        self.frames = 0
        self.octets = self._write(container.header(self.linktype))
        self.findings: dict[str, list[int] | None] = dict(recipe.findings) if recipe else {}
        self.info: dict[str, list[int] | None] = dict(recipe.info) if recipe else {}

    @property
    def bulk(self) -> Bulk:
        if self._bulk is None:
            row = SHAPES[self.shape]
            self._bulk = Bulk(row, self.linktype, self.container, self._seed)
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
        self.info.update(dict.fromkeys(SAID_OF.get(self.shape, ())))

    def scenario(self, making: Making, shorten: int) -> None:
        start, container = START + self._offset, self.container
        data = b"".join(
            container.record(r.octets, start + r.offset, r.original) for r in making.records
        )
        self.octets += self._write(data[:-shorten] if shorten else data)
        for into, marks in ((self.findings, making.findings), (self.info, making.info)):
            for rule, numbers in marks.items():
                if into is self.info and self._bulk and rule in SAID_OF.get(self.shape, ()):
                    continue  # of healthy frames, too
                known = into.get(rule)
                into[rule] = known = [] if known is None else known
                known += [self.frames + number for number in numbers]
        self.frames += making.frames - bool(shorten)
        self._offset += making.records[-1].offset + _PAUSE

    def room(self, frames: int | None, size: int | None, making: Making | None = None) -> int:
        """Return how many healthy frames fit beside a making; less than 0 if it does not itself."""
        if frames is not None:
            return frames - self.frames - (making.frames if making else 0)
        if size is None:
            return 0
        octets = size - self.octets - (making.octets(self.container) if making else 0)
        return self.bulk.frames_within(octets) if octets >= 0 else -1


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
        other random numbers each time, in whole makings. At most the share that it has itself.
        Where None, it is made once, or as often as fits where
        the rule is about whole captures (VX306, VX908).
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
    >>> report = vxcsum.analyze(capture, select=["VX1"])
    >>> [(f.code, f.frames) for f in report.findings]
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
            frames = writer.room(None, size)
            if frames < 1:
                problem = f"{size} octets are too few for one frame"
                raise VxcsumError(problem)
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


def _check_recipe(recipe: Recipe, shape: str, rate: float | None, *, alone: bool) -> None:
    problem = None
    if rate is not None and recipe.once:
        problem = f"{recipe.name} cannot have a rate: made more than once it is something else"
    elif shape in recipe.unfit and not (alone and rate is None):
        fit = ", ".join(name for name in SHAPES if name not in recipe.unfit)
        problem = f"{recipe.name} is not true beside traffic of the shape {shape}: wanted {fit}"
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
    _check_recipe(recipe, writer.shape, rate, alone=frames is None and size is None)
    makings = Makings(recipe, seed)
    making = next(makings)
    if writer.room(frames, size, making) < 0:
        given = f"{size} octets" if frames is None else f"{frames} frames"
        needed = writer.octets + making.octets(writer.container)
        itself = f"{making.frames} frames and {needed} octets"
        problem = f"{given} are too few: {recipe.name} has {itself} itself"
        raise VxcsumError(problem)
    if rate is None and not recipe.whole:
        writer.healthy(writer.room(frames, size, making))
        writer.scenario(making, recipe.shorten)
        return
    if rate is not None and not (making.marked and rate):
        said = "0: wanted more" if making.marked else f"{rate}: it has no frames of its own"
        problem = f"the rate of {recipe.name} cannot be {said}"
        raise VxcsumError(problem)
    if rate is not None and rate * making.frames > making.marked:
        share = making.marked / making.frames
        problem = (
            f"the rate of {recipe.name} cannot be {rate}: it has healthy frames of its own, so it "
            f"can be {share:.2g} at most"
        )
        raise VxcsumError(problem)
    marked = 0
    while (room := writer.room(frames, size, making)) >= 0:
        marked += making.marked
        if rate is not None:
            before = round(marked / rate) - writer.frames - making.frames
            writer.healthy(before if frames is None and size is None else min(before, room))
        writer.scenario(making, 0)
        room = writer.room(frames, size)
        if frames is None and size is None:
            return
        if rate is not None and marked + making.marked / 2 > rate * (writer.frames + room):
            break
        making = next(makings)
    writer.healthy(writer.room(frames, size))
