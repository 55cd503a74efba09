"""What a test says of a capture."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from vxcsum.analysis import analyze
from vxcsum.checksum.status import LAYERS
from vxcsum.errors import VxcsumError
from vxcsum.rules.engine import selected
from vxcsum.rules.model import Severity
from vxcsum.source.again import in_memory
from vxcsum.testing.message import explained, found_in, statuses_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vxcsum.report.report import Report
    from vxcsum.rules.model import Finding

#: Frames of a finding that are looked at one by one.
_LISTED = 100_000


def assert_checksums_good(
    source: Any, *, layers: Iterable[str] | None = None, ignore: Iterable[str] = ()
) -> None:
    """Fail where a checksum is wrong.

    Checksums that the sender left out (0 in UDP over IPv4) or to a device are not wrong, unless
    it is certain that the device did not see to them.

    Parameters
    ----------
    source
        As for `vxcsum.analyze`.
    layers : iterable of str, optional
        ``outer_udp``, ``inner_tcp``, ...: only what is wrong in these; all where None.
    ignore : iterable of str
        Rules that are accepted, by code or its beginning.

    Raises
    ------
    AssertionError
        With at most five frames, found and expected, and the findings. Also where the capture has
        no checksum in these layers, or none that could be verified, so that nothing was checked.
    VxcsumError
        A layer that does not exist; UnknownRuleError, CaptureError.

    Examples
    --------
    >>> from vxcsum.synth import make_capture
    >>> assert_checksums_good(make_capture("healthy")[0])
    >>> assert_checksums_good(make_capture("VX101")[0], ignore=["VX101"])
    >>> assert_checksums_good(make_capture("VX101")[0])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: wrong checksums in <bytes>: VX101 (32 frames)
    ...
    """
    __tracebackhide__ = True
    chosen = _layers(layers)
    source = in_memory(source)
    report = analyze(source, ignore=ignore, listed_frames=_LISTED)
    _something_checked(report, chosen)
    bad = [f for f in errors(report) if not f.rule.story]
    if layers is not None:
        bad = [finding for finding in bad if _concerns(finding, report, source, chosen)]
    if bad:
        raise AssertionError(explained("wrong checksums in", bad, report, source))


def assert_no_corruption(source: Any, *, ignore: Iterable[str] = ()) -> None:
    """Fail on any error, also on what connections suffered from one.

    A connection that nobody answered for another reason is no corruption: a policy may want it.

    Parameters
    ----------
    source, ignore
        As for `assert_checksums_good`.

    Raises
    ------
    AssertionError
        As for `assert_checksums_good`.
    """
    __tracebackhide__ = True
    source = in_memory(source)
    report = analyze(source, ignore=ignore)
    _something_checked(report, tuple(LAYERS))
    bad = [f for f in errors(report) if not f.rule.story or f.evidence.get("cause")]
    if bad:
        raise AssertionError(explained("corruption in", bad, report, source))


def assert_findings(source: Any, expected: Mapping[str, int | None]) -> None:
    """Fail where other rules are found than expected, or in another number of frames.

    Findings of severity info and those about connections (VX7xx) count only where they are named.

    Parameters
    ----------
    source
        As for `vxcsum.analyze`.
    expected : mapping of str to int or None
        Rule code: frames in all its findings; None for any number.

    Raises
    ------
    AssertionError
        With what differs, and at most five frames of it.
    UnknownRuleError
        A code that is not in the catalogue.
    """
    __tracebackhide__ = True
    wanted = {_code(rule): frames for rule, frames in expected.items()}
    source = in_memory(source)
    report = analyze(source)
    _something_given(report)
    found: Counter[str] = Counter()
    for finding in report.findings:
        story = finding.rule.story or finding.severity is Severity.INFO
        if finding.code in wanted or not story:
            found[finding.code] += finding.frames
    lines, differing = [], set()
    for code in sorted({*wanted, *found}):
        if code not in found and wanted[code] != 0:
            lines.append(f"  {code}: not found, expected {_frames(wanted[code])}")
        elif code not in wanted:
            lines.append(f"  {code}: {_frames(found[code])}, not expected")
        elif wanted[code] not in (None, found.get(code, 0)):
            lines.append(f"  {code}: {_frames(found[code])}, expected {wanted[code]}")
        else:
            continue
        differing.add(code)
    if lines:
        bad = [finding for finding in report.findings if finding.code in differing]
        title = "\n".join([f"other findings than expected in {found_in(report)}", *lines])
        raise AssertionError(explained(title, bad, report, source, named=True))


def errors(report: Report, severity: Severity = Severity.ERROR) -> list[Finding]:
    """Return the findings of a severity or worse."""
    return [finding for finding in report.findings if finding.severity >= severity]


def _layers(layers: Iterable[str] | None) -> tuple[str, ...]:
    chosen = (layers,) if isinstance(layers, str) else tuple(LAYERS if layers is None else layers)
    if not chosen:
        problem = f"no layer given: wanted some of {', '.join(LAYERS)}"
        raise VxcsumError(problem)
    for layer in chosen:
        if layer not in LAYERS:
            problem = f"unknown layer {layer!r}: wanted one of {', '.join(LAYERS)}"
            raise VxcsumError(problem)
    return chosen


def _something_given(report: Report) -> None:
    __tracebackhide__ = True
    if not report.captures:
        problem = "nothing was checked: no capture was given"
        raise AssertionError(problem)


def _something_checked(report: Report, layers: tuple[str, ...]) -> None:
    __tracebackhide__ = True
    _something_given(report)
    found = [layer for layer in layers if any(report.layers[layer].values())]
    # IP headers are right in any capture, however short its frames were cut.
    chosen = [layer for layer in found if not layer.endswith("_ipv4")] or found
    counts = Counter[str]()
    for layer in chosen:
        counts.update(report.layers[layer])
    known = counts["valid"] + counts["partial"] + counts["invalid"]
    if known or counts["zero"] > counts["unverifiable"]:
        return
    where = "" if len(layers) == len(LAYERS) else f" of {', '.join(layers)}"
    frames = _frames(report.frames["total"])
    problem = f"nothing was checked: {found_in(report)} has no checksum{where} in its {frames}"
    if found:
        problem = (
            f"nothing was checked: {found_in(report)} has no checksum{where} that could be "
            f"verified in its {frames}, {counts['unverifiable']:,} that could not be"
        )
    raise AssertionError(problem)


def _concerns(finding: Finding, report: Report, source: Any, layers: tuple[str, ...]) -> bool:
    """Tell whether a finding is about a checksum of these layers."""
    wrong = finding.rule.wrong
    if finding.frames > len(finding.frame_numbers):  # more than are told one by one
        return any(report.layers[layer][wrong.name.lower()] for layer in layers)
    listed = statuses_of(finding, report, source, len(finding.frame_numbers))
    if len(listed) < finding.frames:  # what cannot be looked at again is not good
        return True
    return any(frame.statuses.get(layer) == wrong for frame in listed for layer in layers)


def _code(rule: str) -> str:
    codes = selected([rule], None)
    if len(codes) != 1:
        problem = f"{rule!r} names {len(codes)} rules: wanted one"
        raise VxcsumError(problem)
    return codes.pop()


def _frames(number: int | None) -> str:
    if number is None:
        return "any number of frames"
    return f"{number:,} frame{'' if number == 1 else 's'}"
