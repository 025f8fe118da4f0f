"""Cells that a spreadsheet would run: what writing puts on, reading takes off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.imports.cells import escaped, unescaped


@pytest.mark.parametrize("cell", ["=1+1", "+48500000000", "-5", "@sum", "\tx", "\rx", "\nx", "＝1"])
def test_a_formula_becomes_text(cell: str) -> None:
    assert escaped(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", "Ada", "a=b", "'", "'tis", "O'Neil", "1-2"])
def test_any_other_cell_stays_as_it_is(cell: str) -> None:
    assert escaped(cell) == cell
    assert unescaped(cell) == cell


def test_an_apostrophe_before_a_formula_survives() -> None:
    assert unescaped(escaped("'=1")) == "'=1"


@given(st.text(alphabet="'=+-@\t\r\nab ＝"))
def test_what_is_written_reads_back(cell: str) -> None:
    assert unescaped(escaped(cell)) == cell


@given(st.text(alphabet="'=+-@\t\rab"))
def test_what_is_written_never_begins_as_a_formula(cell: str) -> None:
    assert not escaped(cell).startswith(("=", "+", "-", "@", "\t", "\r"))
