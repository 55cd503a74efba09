"""The pytest plugin, in suites of its own."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys

import pytest

pytest_plugins = "pytester"

WITHOUT = ("-p", "no:cacheprovider", "-p", "no:randomly")


@pytest.fixture(autouse=True)
def _registered() -> None:
    points = importlib.metadata.entry_points(group="pytest11", name="vxcsum")
    if not points:
        pytest.skip("vxcsum is not installed, so that pytest does not know its plugin")


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest(*WITHOUT, *arguments)


def needs_tcpdump() -> None:
    if shutil.which("tcpdump", path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
        pytest.skip("tcpdump is not installed")
    if os.geteuid() != 0:
        pytest.skip("recording needs root")


SEND = """
import socket

def send(count, port=45454):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for number in range(count):
            s.sendto(bytes(100), ("127.0.0.1", port))
"""


def test_the_fixtures_do_what_their_names_say(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import json
        import pytest

        from vxcsum.testing import assert_findings

        def test_captures(vxcsum_capture, vxcsum_analyze):
            report = vxcsum_analyze(vxcsum_capture("63-seconds"), engine="numpy")
            assert report.engine == "numpy"
            assert "VX101" in {f.code for f in report.findings}
            assert vxcsum_analyze(vxcsum_capture("healthy")).ok

        def test_synth(vxcsum_synth, tmp_path):
            path = vxcsum_synth("VX102", frames=300, container="pcapng")
            assert path == tmp_path / "VX102.pcapng"
            truth = json.loads((tmp_path / "VX102.pcapng.truth.json").read_text())
            assert_findings(path, {"VX102": len(truth["findings"]["VX102"])})
            assert vxcsum_synth("healthy", "other.pcap").name == "other.pcap"
            again = vxcsum_synth("VX102", frames=300, container="pcapng", seed=2)
            assert again != path and again.read_bytes() != path.read_bytes()
            assert vxcsum_synth("healthy", "below/other.pcap").parent.name == "below"
            with pytest.raises(ValueError, match="no name for a capture"):
                vxcsum_synth("healthy", "../../other.pcap")
        """
    )
    run(pytester, "--strict-markers").assert_outcomes(passed=2)


def test_a_test_accepts_rules_by_its_marker(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.vxcsum(ignore=["VX102"])
        def test_accepted(vxcsum_analyze, vxcsum_capture):
            assert vxcsum_analyze(vxcsum_capture("vx102")).ok

        @pytest.mark.vxcsum(ignore="VX1")
        class TestAll:
            def test_by_its_beginning(self, vxcsum_analyze, vxcsum_capture):
                assert vxcsum_analyze(vxcsum_capture("vx101")).ok

        def test_not_accepted(vxcsum_analyze, vxcsum_capture):
            assert not vxcsum_analyze(vxcsum_capture("vx102")).ok
            assert vxcsum_analyze(vxcsum_capture("vx102"), ignore=["VX102"]).ok
        """
    )
    run(pytester, "--strict-markers", "--strict-config").assert_outcomes(passed=3)
    assert "vxcsum(ignore=RULES)" in run(pytester, "--markers").stdout.str()


@pytest.mark.parametrize(
    ("marker", "said"),
    [("ignore=['VX8']", "*no rule matches 'VX8'*"), ("'VX101'", "*takes ignore=RULES*")],
)
def test_a_wrong_marker_is_told(pytester: pytest.Pytester, marker: str, said: str) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.vxcsum({marker})
        def test_it(vxcsum_analyze):
            pass
        """
    )
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([said])


FAIL_ON = """
def test_it(vxcsum_analyze, vxcsum_capture):
    vxcsum_analyze(vxcsum_capture({name!r}))
"""


@pytest.mark.parametrize(
    ("name", "severity", "passes"),
    [
        ("vx101", "never", True),
        ("vx101", "error", False),
        ("offload", "error", True),
        ("offload", "warning", True),
        ("offload", "info", False),
        ("healthy", "info", True),
    ],
)
def test_findings_of_a_severity_fail_a_test(
    pytester: pytest.Pytester, name: str, severity: str, passes: bool
) -> None:
    pytester.makepyfile(FAIL_ON.format(name=name))
    result = run(pytester, "--vxcsum-fail-on", severity)
    result.assert_outcomes(passed=int(passes), failed=int(not passes))
    if not passes:
        result.stdout.fnmatch_lines(["*AssertionError: findings in *: VX*", "*VX?01 *"])


def test_the_ini_file_says_what_the_option_says(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAIL_ON.format(name="vx101"))
    pytester.makeini("[pytest]\nvxcsum_fail_on = error\n")
    run(pytester).assert_outcomes(failed=1)
    run(pytester, "--vxcsum-fail-on", "never").assert_outcomes(passed=1)
    pytester.makeini("[pytest]\nvxcsum_fail_on = fatal\n")
    result = run(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*vxcsum_fail_on is 'fatal': wanted one of never*"])


def test_captures_of_the_project_are_found(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_it(vxcsum_capture):
            assert vxcsum_capture("mine").read_bytes() == b"x"
        """
    )
    for folder in ("captures", "elsewhere"):
        pytester.mkdir(folder)
    (pytester.path / "captures" / "mine.pcap").write_bytes(b"x")
    run(pytester).assert_outcomes(passed=1)
    result = run(pytester, "--vxcsum-captures", "elsewhere")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no capture 'mine' in *elsewhere*"])
    (pytester.path / "captures" / "mine.pcap").rename(pytester.path / "elsewhere" / "mine.pcap")
    run(pytester, "--vxcsum-captures", "elsewhere").assert_outcomes(passed=1)
    run(pytester, "-o", "vxcsum_captures=elsewhere").assert_outcomes(passed=1)


def test_captures_of_failed_tests_are_kept(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("code", ["VX101", "VX 102"])
        def test_fails(vxcsum_synth, vxcsum_analyze, vxcsum_capture, code):
            vxcsum_synth("VX101")
            vxcsum_analyze(vxcsum_capture("vx102"))
            assert code != code

        def test_passes(vxcsum_synth):
            vxcsum_synth("VX101")
        """
    )
    result = run(pytester, "--vxcsum-keep", "kept")
    result.assert_outcomes(failed=2, passed=1)
    kept = sorted(p.relative_to(pytester.path).as_posix() for p in pytester.path.rglob("kept/*/*"))
    folders = sorted({path.rsplit("/", 1)[0] for path in kept})
    name = "kept/test_captures_of_failed_tests_are_kept.py_test_fails_VX"
    assert [folder.rsplit("-", 1)[0] for folder in folders] == [f"{name}101", f"{name}_102"]
    assert kept == [f"{f}/{capture}.pcap" for f in folders for capture in ("VX101", "vx102")]
    result.stdout.fnmatch_lines(["*vxcsum: kept*", "*kept/*VX101-*/VX101.pcap"])


def test_tests_with_names_that_look_alike_keep_their_captures_apart(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("name", ["a/b", "a:b", "a b", "x" * 300 + "1", "x" * 300 + "2"])
        def test_fails(vxcsum_synth, name):
            vxcsum_synth("VX101")
            assert not name
        """
    )
    run(pytester, "--vxcsum-keep", "kept").assert_outcomes(failed=5)
    assert len(list(pytester.path.rglob("kept/*/VX101.pcap"))) == 5


def test_a_folder_that_cannot_be_made_leaves_the_test_its_own_failure(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        def test_fails(vxcsum_synth):
            vxcsum_synth("VX101")
            assert 1 == 2

        def test_passes():
            pass
        """
    )
    (pytester.path / "taken").write_text("a file")
    result = run(pytester, "--vxcsum-keep", "taken")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*assert 1 == 2*", "*vxcsum: kept*", "no captures: *taken*"])


def test_suites_that_do_not_use_it_do_not_pay_for_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it():
            assert "pytest_vxcsum" in sys.modules
            assert not {"vxcsum", "numpy", "click", "hypothesis.strategies"} & set(sys.modules)
        """
    )
    pytester.makeini("[pytest]\naddopts = -p no:hypothesispytest\n")
    result = pytester.runpytest_subprocess(*WITHOUT)
    result.assert_outcomes(passed=1)


def test_it_can_be_switched_off(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it():
            from vxcsum.testing import assert_checksums_good
            from vxcsum.synth import make_capture
            assert_checksums_good(make_capture("healthy")[0])
            assert "pytest_vxcsum" not in sys.modules

        def test_no_fixture(vxcsum_analyze):
            pass
        """
    )
    result = pytester.runpytest_subprocess(*WITHOUT, "-p", "no:vxcsum", "--strict-markers")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*fixture 'vxcsum_analyze' not found*"])
    result = pytester.runpytest_subprocess(*WITHOUT, "-p", "no:vxcsum", "--vxcsum-keep", "x")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_it_works_with_xdist(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.vxcsum(ignore="VX102")
        @pytest.mark.parametrize("number", range(4))
        def test_it(vxcsum_synth, vxcsum_analyze, number):
            assert vxcsum_analyze(vxcsum_synth("VX102", seed=number)).ok

        def test_fails(vxcsum_synth):
            assert not vxcsum_synth("VX102")
        """
    )
    result = pytester.runpytest_subprocess(
        *WITHOUT, "-n", "2", "--strict-markers", "--vxcsum-keep", "kept", "--vxcsum-fail-on", "info"
    )
    result.assert_outcomes(passed=4, failed=1)
    assert len(list(pytester.path.glob("kept/*test_fails-*/VX102.pcap"))) == 1


# Recording


def test_traffic_of_a_test_is_recorded_to_the_last_packet(pytester: pytest.Pytester) -> None:
    needs_tcpdump()
    pytester.makepyfile(
        SEND
        + """
import vxcsum

def test_block(vxcsum_sniff):
    with vxcsum_sniff("lo", filter="udp port 45454") as capture:
        send(300)
    assert len(vxcsum.read_packets(capture)) == 300

def test_no_block(vxcsum_sniff, tmp_path):
    capture = vxcsum_sniff("lo", filter="udp port 45454", name="mine.pcap")
    send(3)
    assert len(vxcsum.read_packets(capture)) == 3
    send(4)
    assert len(vxcsum.read_packets(capture.stop())) == 3
    assert capture.path == tmp_path / "mine.pcap"

def test_left_alone(vxcsum_sniff):
    vxcsum_sniff("lo", filter="udp port 45454")
    vxcsum_sniff("lo", filter="udp port 45455")
"""
    )
    run(pytester, "-W", "error").assert_outcomes(passed=3)


def test_what_was_recorded_fails_the_test_and_is_kept(pytester: pytest.Pytester) -> None:
    needs_tcpdump()
    pytester.makepyfile(
        SEND
        + """
import pytest

def test_fails(vxcsum_sniff):
    vxcsum_sniff("lo", filter="udp port 45454")
    send(2)

@pytest.mark.vxcsum(ignore="VX201")
def test_accepts(vxcsum_sniff):
    vxcsum_sniff("lo", filter="udp port 45454")
    send(2)

@pytest.fixture
def broken(vxcsum_sniff):
    vxcsum_sniff("lo", filter="udp port 45454")
    send(2)
    raise OSError

def test_setup(broken):
    pass
"""
    )
    result = run(pytester, "--vxcsum-fail-on", "info", "--vxcsum-keep", "kept")
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*AssertionError: findings in *: VX201 (2 frames)"])
    kept = sorted(path.parent.name[-19:-9] for path in pytester.path.glob("kept/*/1-lo.pcap"))
    assert kept == ["test_fails", "test_setup"]


def test_an_interface_that_does_not_exist_is_an_error_and_no_skip(
    pytester: pytest.Pytester,
) -> None:
    needs_tcpdump()
    pytester.makepyfile(
        """
        def test_it(vxcsum_sniff):
            vxcsum_sniff("vxnone0")
        """
    )
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*VxcsumError: tcpdump cannot record on vxnone0: *"])


SNIFFS = """
def test_it(vxcsum_sniff):
    vxcsum_sniff("lo")
"""


def test_without_tcpdump_a_test_skips_and_says_so(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vxcsum.testing import recording

    monkeypatch.setenv("PATH", str(pytester.path))
    monkeypatch.setattr(recording, "_FOLDERS", ())
    pytester.makepyfile(SNIFFS)
    result = run(pytester, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*tcpdump is not installed*"])


def test_without_permission_a_test_skips_and_says_so(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    tcpdump = pytester.path / "tcpdump"
    said = "tcpdump: lo: You don't have permission to perform this capture on that device"
    tcpdump.write_text(f'#!/bin/sh\necho "{said}" >&2\nexit 1\n', encoding="utf-8")
    tcpdump.chmod(0o755)
    monkeypatch.setenv("PATH", f"{pytester.path}{os.pathsep}{os.environ['PATH']}")
    pytester.makepyfile(SNIFFS)
    result = run(pytester, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*needs permission (root, or CAP_NET_RAW)*"])


def test_another_user_has_no_permission() -> None:
    needs_tcpdump()
    code = """
import os, sys, tempfile
from vxcsum.testing import Recording, RecordingUnavailableError
os.setgroups([]); os.setgid(65534); os.setuid(65534)
with tempfile.TemporaryDirectory() as folder:
    try:
        Recording("lo", os.path.join(folder, "a.pcap"))
    except RecordingUnavailableError as error:
        print(error)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert "needs permission" in result.stdout, result.stderr
