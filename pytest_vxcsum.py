"""The pytest plugin of vxcsum.

It is a module of its own, because importing anything below `vxcsum` imports NumPy: suites that do
not use a fixture of it pay for these few lines only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from vxcsum import Report
    from vxcsum.testing import Recording
    from vxcsum.testing.case import Case

_SEVERITIES = ("never", "info", "warning", "error")
_CASE = pytest.StashKey["Case"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("vxcsum", "checksums of VXLAN captures")
    group.addoption(
        "--vxcsum-fail-on",
        choices=_SEVERITIES,
        help="fail tests whose captures have a finding of this severity or worse "
        "(default: the ini value vxcsum_fail_on, or never)",
    )
    group.addoption(
        "--vxcsum-keep", metavar="DIR", help="copy the captures of failed tests to this folder"
    )
    group.addoption(
        "--vxcsum-captures",
        metavar="DIR",
        help="where vxcsum_capture looks first (default: ini value vxcsum_captures, or captures)",
    )
    parser.addini("vxcsum_fail_on", "as --vxcsum-fail-on", default="never")
    parser.addini("vxcsum_captures", "as --vxcsum-captures, below the root", default="captures")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and refuse a severity that does not exist."""
    text = "vxcsum(ignore=RULES): rules that the vxcsum fixtures accept in this test, as ['VX102']"
    config.addinivalue_line("markers", text)
    if (severity := config.getini("vxcsum_fail_on")) not in _SEVERITIES:
        problem = f"vxcsum_fail_on is {severity!r}: wanted one of {', '.join(_SEVERITIES)}"
        raise pytest.UsageError(problem)


@pytest.hookimpl(trylast=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Look at what the test recorded, once it has passed."""
    __tracebackhide__ = True
    if _CASE in item.stash:
        item.stash[_CASE].check()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Keep the captures of a test that failed."""
    outcome = yield
    report = outcome.get_result()
    folder = item.config.getoption("--vxcsum-keep")
    if report.failed and folder and _CASE in item.stash:
        try:
            kept = item.stash[_CASE].keep(item.config.invocation_params.dir / folder, item.nodeid)
            said = "\n".join(map(str, kept))
        except OSError as error:  # the test's own failure is what counts
            said = f"no captures: {error}"
        report.sections += [("vxcsum: kept", said)] if said else []


@pytest.fixture
def _vxcsum_case(request: pytest.FixtureRequest) -> Generator[Case, None, None]:
    from vxcsum.testing.case import Case

    ignore: list[str] = []
    for marker in request.node.iter_markers("vxcsum"):
        if marker.args or set(marker.kwargs) - {"ignore"}:
            problem = "the marker vxcsum takes ignore=RULES and nothing else"
            raise pytest.UsageError(problem)
        rules = marker.kwargs.get("ignore", ())
        ignore += [rules] if isinstance(rules, str) else rules or ()
    config = request.config
    severity = config.getoption("--vxcsum-fail-on") or config.getini("vxcsum_fail_on")
    case = request.node.stash[_CASE] = Case(ignore, severity)
    yield case
    case.finish()


@pytest.fixture
def vxcsum_analyze(_vxcsum_case: Case) -> Callable[..., Report]:
    """Return `vxcsum.analyze` without the rules that the test accepts."""
    return _vxcsum_case.analyze


@pytest.fixture
def vxcsum_capture(pytestconfig: pytest.Config) -> Callable[[str], Path]:
    """Return a function: name of a capture -> its path."""
    from vxcsum.testing.captures import capture_file

    given = pytestconfig.getoption("--vxcsum-captures")
    folder = (
        pytestconfig.invocation_params.dir / given
        if given
        else pytestconfig.rootpath / pytestconfig.getini("vxcsum_captures")
    )
    folders = [folder] if given or folder.is_dir() else []
    return lambda name: capture_file(name, folders)


@pytest.fixture
def vxcsum_synth(_vxcsum_case: Case, tmp_path: Path) -> Callable[..., Path]:
    """Return a function: scenario, options of `vxcsum.synth.write_capture` -> path in tmp_path."""
    from vxcsum.synth import write_capture

    def synth(scenario: str, name: str | None = None, **options: Any) -> Path:
        suffix = options.get("container") or "pcap"
        path, number = tmp_path / (name or f"{scenario}.{suffix}"), 2
        if tmp_path.resolve() not in path.resolve().parents:
            problem = f"{name!r} is no name for a capture in {tmp_path}"
            raise ValueError(problem)
        while name is None and path.exists():  # an earlier capture of the test is another one
            path, number = tmp_path / f"{scenario}-{number}.{suffix}", number + 1
        path.parent.mkdir(parents=True, exist_ok=True)
        write_capture(scenario, path, **options)
        _vxcsum_case.files.append(path)
        return path

    return synth


@pytest.fixture
def vxcsum_sniff(_vxcsum_case: Case, tmp_path: Path) -> Callable[..., Recording]:
    """Return a function: interface, filter, netns -> a recording, which is a path.

    The test is skipped where traffic cannot be recorded.
    """
    from vxcsum.testing.recording import RecordingUnavailableError

    def sniff(interface: str, name: str | None = None, **options: Any) -> Recording:
        __tracebackhide__ = True
        number = len(_vxcsum_case.recordings) + 1
        path = tmp_path / (name or f"{number}-{interface.replace('/', '_')}.pcap")
        try:
            return _vxcsum_case.record(interface, path, **options)
        except RecordingUnavailableError as error:
            pytest.skip(str(error))

    return sniff
