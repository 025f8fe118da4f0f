"""Cells that a spreadsheet would take as a formula: written with a leading apostrophe, read without it.

A spreadsheet runs a cell that begins with one of these characters as a formula, and a formula can send data away. The
apostrophe makes it text. A cell that begins with apostrophes before such a character gets one more, so that reading
takes off exactly what writing put on.
Source: https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
MARK = "'"


def escaped(cell: str) -> str:
    """The cell as it may stand in a file."""
    return MARK + cell if cell.lstrip(MARK).startswith(RISKY) else cell


def unescaped(cell: str) -> str:
    """The cell as it was before `escaped`; any other cell as it is."""
    return cell[1:] if cell.startswith(MARK) and cell.lstrip(MARK).startswith(RISKY) else cell
