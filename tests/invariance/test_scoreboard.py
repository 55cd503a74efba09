"""The scoreboard runs, says the same for the same seed, and writes what it prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import scoreboard

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_same_seed_gives_the_same_board(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boards = []
    for number in range(2):
        page, told = tmp_path / f"{number}.md", tmp_path / f"{number}.json"
        given = ["--sample", "2", "--shared", str(tmp_path), "--json", str(told)]
        scoreboard.main([*given, "--write", str(page)])
        boards.append((capsys.readouterr().out, page.read_text("utf-8"), told.read_text("utf-8")))
    assert boards[0] == boards[1]
    printed, page_text, told_text = boards[0]
    tables = json.loads(told_text)["tables"]
    assert [table["name"] for table in tables] == list(scoreboard.SECTIONS)
    for table in tables:
        assert table["title"] in printed
        assert f"## {table['title']}" in page_text
        assert table["rows"]
        assert all(len(row) == len(table["columns"]) for row in table["rows"])
