"""What is shown of data: nothing is markup, nothing moves the cursor, and what people copy stays in one piece."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.cli import terminal
from hub.cli.terminal import echo, print_table, visible
from hub.core.database import write
from hub.outbox.queue import store
from hub.outbox.values import NewDelivery
from hub.sdk.values import Operation
from tests.unit.cli.conftest import Shell

URL = "https://hub.example.com/in/" + "k" * 120
HOSTILE = {
    "[/red]": "[/red]",
    "[bold]Ada[/bold]": "[bold]Ada[/bold]",
    "\x1b[2J": "\\x1b[2J",
    "\x1b]0;owned\x07": "\\x1b]0;owned\\x07",
    "a\r\nb": "a\\r\\nb",
    "\x9b31m": "\\x9b31m",
    "\u202egnp": "\\u202egnp",
    "\ud800": "\\ud800",
    "Zoë 👩‍🔬": "Zoë 👩‍🔬",
}


@pytest.mark.parametrize(("written", "shown"), HOSTILE.items())
def test_text_from_outside_is_data(written: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_table([{"source_id": written, "n": 1}], ["source_id", "n"])
    echo(written.replace("\n", ""))

    head, row, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["source", "id", "n"]
    assert re.split(" {2,}", row) == [shown, "1"]
    assert line == shown.replace("\\n", "")
    assert visible(written) == shown


def test_a_person_with_such_an_id_breaks_no_list(shell: Shell) -> None:
    crm = shell.json(
        "destinations",
        "add",
        "braze",
        "--name",
        "crm",
        "--no-check",
        "--set",
        "base_url=https://x.example",
        "--set",
        "api_key=k",
    )
    delivery = NewDelivery(crm["id"], Operation.PROFILES, "[/red]\x1b[2J\x1b]0;t\x07", at=1)
    with write(shell.installation.engine) as database:
        store.insert(database, [delivery], 1)

    (line,) = shell.text("deliveries", "list").splitlines()
    assert "[/red]\\x1b[2J\\x1b]0;t\\x07 → crm/profiles" in line
    assert shell.json("deliveries", "list")[0]["source_id"] == "[/red]\x1b[2J\x1b]0;t\x07", "JSON is as it was"
    assert "\\x1b" in shell.error("profiles", "show", "\x1b[2J")


def test_piped_a_row_is_a_line_and_nothing_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([{"name": "web", "webhook_url": URL}, {"name": "エイダ", "webhook_url": None}], ["name", "webhook_url"])

    assert capsys.readouterr().out.splitlines() == ["name    webhook url", f"web     {URL}", "エイダ  -"]


def test_on_a_terminal_only_prose_is_wrapped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal.sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    rows = [{"name": "a", "what": "many words that say what this is and why " * 2}, {"name": "b", "what": URL}]
    print_table(rows, ["name", "what"])

    lines = capsys.readouterr().out.splitlines()
    assert sum(URL in line for line in lines) == 1, "what people copy is never wrapped"
    assert all(len(line) <= 60 for line in lines[:-1])


def test_every_line_of_the_command_line_goes_through_it() -> None:
    """A command that prints by itself would print what senders wrote as it came."""
    folder = Path(terminal.__file__).parent
    by_themselves = {
        file.name
        for file in folder.rglob("*.py")
        if file != Path(terminal.__file__) and re.search(r"click\.(echo|secho)\(|\bprint\(|Table\(", file.read_text())
    }
    assert by_themselves == {"support.py"}, "support.py prints JSON, which escapes by itself"
