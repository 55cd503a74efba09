"""Completion as the shells do it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vxcsum.cli.main import main

SHELLS = ("bash", "zsh", "fish")
BASH = r"""
eval "$(vxcsum completion bash)"
compopt() { printf 'compopt %s\n' "$*"; }
COMP_WORDS=({words}); COMP_CWORD={last}; COMPREPLY=()
_vxcsum_completion vxcsum
printf '%s\n' "${COMPREPLY[@]}"
"""


def shell(name: str, script: str, tmp_path: Path) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"no {name}")
    program = tmp_path / "bin" / "vxcsum"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m vxcsum "$@"\n')
    program.chmod(0o755)
    result = subprocess.run(
        [path, *(["-f"] if name == "zsh" else []), "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "HOME": str(tmp_path),
        },
    )
    assert result.stderr == ""
    return result.stdout


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("an", ["analyze"]),
        ("analyze --sel", ["--select"]),
        ("analyze --select VX10", [f"VX10{n}" for n in range(1, 7)]),
        ("rules VX70", ["VX701", "VX702", "VX703"]),
        ("extract --rule VX10", [f"VX10{n}" for n in range(1, 7)]),
        ("extract --status in", ["invalid"]),
        ("repair --only outer_ipv4,outer_u", ["outer_ipv4,outer_udp"]),
        ("analyze --ignore vx60", ["VX600", "VX601", "VX602", "VX603"]),
        ("analyze --select VX101,VX90", [f"VX101,VX90{n}" for n in range(1, 10)]),
        ("analyze --select outer-nat", ["outer-nat-stale", "outer-nat-half"]),
        ("analyze --format js", ["json", "jsonl"]),
        ("completion z", ["zsh"]),
    ],
)
def test_bash_completes_commands_options_rules_and_values(
    tmp_path: Path, line: str, expected: list[str]
) -> None:
    words = ["vxcsum", *line.split()]
    script = BASH.replace("{words}", shlex.join(words)).replace("{last}", str(len(words) - 1))
    found = shell("bash", script, tmp_path).split()
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("line", ["analyze nod", "analyze -o nod", "analyze --packets nod"])
def test_bash_completes_files_itself(tmp_path: Path, line: str) -> None:
    words = ["vxcsum", *line.split()]
    script = BASH.replace("{words}", shlex.join(words)).replace("{last}", str(len(words) - 1))
    found = shell("bash", script, tmp_path)
    assert found.split() == ["compopt", "-o", "default"]


def test_fish_completes_rules_and_files(tmp_path: Path) -> None:
    (tmp_path / "node1.pcap").touch()
    script = """
vxcsum completion fish | source
complete -C 'vxcsum analyze --select VX60'
complete -C 'vxcsum analyze nod'
"""
    lines = shell("fish", script, tmp_path).splitlines()
    assert [line.split("\t")[0] for line in lines] == [
        *(f"VX60{n}" for n in range(4)),
        "node1.pcap",
    ]


def test_zsh_takes_the_script(tmp_path: Path) -> None:
    script = """
autoload -Uz compinit; compinit -u
eval "$(vxcsum completion zsh)"
print $_comps[vxcsum]
"""
    assert shell("zsh", script, tmp_path).strip() == "_vxcsum_completion"


@pytest.mark.parametrize("name", SHELLS)
def test_a_script_is_printed_for_each_shell(name: str) -> None:
    result = CliRunner().invoke(main, ["completion", name])
    assert result.exit_code == 0
    assert "_VXCSUM_COMPLETE" in result.stdout


def test_other_shells_are_bad_usage() -> None:
    assert CliRunner().invoke(main, ["completion", "tcsh"]).exit_code == 2
