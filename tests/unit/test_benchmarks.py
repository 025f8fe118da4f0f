"""The table of `make bench`: a goal that is missed or not measured never passes for reached."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import main
from benchmarks.rows import Row, missing, table


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (Row("a", 60.0, 100.0, 0.6, 0.5, ""), "reached"),
        (Row("a", 40.0, 100.0, 0.4, 0.5, ""), "missed"),
        (Row("a", 60_000.0, None, None, 50_000, "", "/s", "least"), "reached"),
        (Row("a", 40_000.0, None, None, 50_000, "", "/s", "least"), "missed"),
        (Row("a", 0.4, None, None, 1.0, "", " s", "most"), "reached"),
        (Row("a", 1.4, None, None, 1.0, "", " s", "most"), "missed"),
        (Row("a", 60.0, None, None, 0.5, ""), "missed"),
        (missing("a", "node is not here"), "not measured"),
    ],
)
def test_a_row_says_whether_its_goal_is_reached(row, verdict):
    assert row.verdict == verdict
    assert row.is_met == (verdict == "reached")


def test_the_table_shows_figures_goals_and_why_one_is_missing():
    shown = table([Row("applied", 12_345.6, 20_000.0, 0.617, 0.5, "with care"), missing("peer", "node is not here")])
    first, second = [line for line in shown.splitlines() if line.startswith(("applied", "peer"))]
    assert first.split() == ["applied", "12,346/s", "20,000/s", "0.62", "≥", "0.5", "reached"]
    assert second.split() == ["peer", "-", "-", "-", "-", "not", "measured"]
    assert "peer: node is not here" in shown


def test_a_benchmark_that_fails_says_why_and_fails_the_run(monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.__main__.NAMES", ("no_such_benchmark",))
    assert main([]) == 1
    assert "No module named 'benchmarks.no_such_benchmark'" in capsys.readouterr().out


def test_an_unknown_name_is_told_at_once(capsys):
    assert main(["applly"]) == 2
    assert "'applly'" in capsys.readouterr().out
