"""Pages agree with each other and with the code: links resolve, commands exist, words are the glossary's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from hub.cli import hub

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"```(?:sh|text)?\n(.*?)```", re.DOTALL)
_INLINE = re.compile(r"`(hub [^`]+)`")
_STOP = re.compile(r"\s*(?:&&|\|\||[|;&>#])\s*|\s{2,}#")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text()):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{_name(page)}: {target}"
        if anchor and linked.suffix == ".md":
            assert anchor in set(anchors(linked)), f"{_name(page)}: {target}"


def anchors(page: Path) -> Iterator[str]:
    for heading in re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def commands(page: Path) -> Iterator[str]:
    """Every `hub ...` of a page: in code blocks and in its sentences."""
    text = page.read_text()
    for block in _BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            for part in _STOP.split(line.strip().removeprefix("$ ")):
                if part.startswith("hub "):
                    yield part
    yield from (part for found in _INLINE.findall(text) for part in _STOP.split(found) if part.startswith("hub "))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_command_on_a_page_exists_with_its_options(page: Path) -> None:
    for line in commands(page):
        words = [word for word in _words(line)[1:] if word not in ("...", "…")]
        command: click.Command = hub
        context = click.Context(hub)
        while words and isinstance(command, click.Group) and not words[0].startswith("-"):
            if "|" in words[0] or words[0].isupper():
                break
            found = command.get_command(context, words.pop(0))
            assert found is not None, f"{_name(page)}: there is no `{line}`"
            command = found
        known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
        known |= {"--help", "-h", "--version"}
        used = {word.split("=")[0] for word in words if word.startswith("--")}
        assert used <= known, f"{_name(page)}: `{line}` has no {sorted(used - known)}"


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────

GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
WORDS = set(re.findall(r"\*\*([\w ]+)\*\*", GLOSSARY))
AVOIDED = {
    r"\busers?\b": "profile (or person)", r"\bDLQ\b": "dead letter", r"\bsubscribers?\b": "profile",
    r"\bvouchers?\b": "incentive code", r"\bwebhook messages?\b": "message", r"\bETL\b": "mapping",
    r"\bpipelines?\b": "room, or the way", r"\bworkspaces?\b": "installation",
}  # fmt: skip
OWN_WORDS = ("operations.md", "architecture.md", "glossary.md", "README.md")


def test_the_glossary_has_the_words_of_the_house() -> None:
    assert len(WORDS) > 30
    for word in ("source_id", "delivery", "dead letter", "quarantine", "occasion", "sync log", "erasure", "code"):
        assert word in GLOSSARY


@pytest.mark.parametrize("page", [page for page in PAGES if page.name in OWN_WORDS], ids=_name)
def test_pages_use_the_words_of_the_glossary(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`]*`|\([^)]*\)", "", page.read_text(), flags=re.DOTALL)
    for pattern, word in AVOIDED.items():
        found = re.search(pattern, prose, re.IGNORECASE)
        assert found is None, f"{_name(page)} says {found[0]!r}; the glossary says {word}"


def test_every_table_of_the_database_stands_in_the_architecture() -> None:
    from hub.inbox.tables import INBOX
    from hub.runtime.process.schema import metadata

    page = (ROOT / "docs" / "architecture.md").read_text()
    missing = [name for name in (*metadata().tables, *INBOX.tables) if f"`{name}`" not in page]
    assert missing == []


def test_every_connector_of_the_readme_has_its_page_and_the_reverse() -> None:
    readme = (ROOT / "README.md").read_text()
    pages = {path.stem for path in (ROOT / "docs" / "connectors").glob("*.md")}
    assert {name for name in pages if f"docs/connectors/{name}.md" not in readme} == set()
