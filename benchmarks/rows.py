"""One line of `make bench`: what was measured, against what, and whether it is good enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple


class Row(NamedTuple):
    """`value` is the hub's figure, `against` the other side's in the same unit; `ratio` is of these two.

    The goal is for the `ratio`, or for the value itself: `least` or `most` so much. A row that could not be measured has
    no value, and `detail` says why.
    """

    name: str
    value: float | None
    against: float | None
    ratio: float | None
    goal: float
    detail: str
    unit: str = "/s"
    goal_for: Literal["ratio", "least", "most"] = "ratio"

    @property
    def is_met(self) -> bool:
        """Whether the goal is reached; never where nothing was measured."""
        figure = self.ratio if self.goal_for == "ratio" else self.value
        if figure is None:
            return False
        return figure <= self.goal if self.goal_for == "most" else figure >= self.goal

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        return "reached" if self.is_met else "missed"


def missing(name: str, why: str) -> Row:
    """A row that could not be measured."""
    return Row(name, None, None, None, 0.0, why)


def table(rows: Sequence[Row]) -> str:
    """The rows as aligned text: what, hub, against, ratio, goal, verdict; below it what each figure is."""
    lines = [("what", "hub", "against", "ratio", "goal", "verdict"), *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    shown = [
        "  ".join(
            cell.ljust(width) if column in (0, 5) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    notes = [f"  {row.name}: {row.detail}" for row in rows]
    return "\n".join([shown[0], "─" * len(shown[0]), *shown[1:], "", *notes])


def _cells(row: Row) -> tuple[str, str, str, str, str, str]:
    if row.value is None:
        return row.name, "-", "-", "-", "-", row.verdict
    goal = {"ratio": f"≥ {row.goal:g}", "least": f"≥ {_figure(row.goal, row)}", "most": f"< {_figure(row.goal, row)}"}
    against = "-" if row.against is None else _figure(row.against, row)
    ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
    return row.name, _figure(row.value, row), against, ratio, goal[row.goal_for], row.verdict


def _figure(value: float, row: Row) -> str:
    return f"{value:,.0f}{row.unit}" if abs(value) >= 100 else f"{value:.3g}{row.unit}"
