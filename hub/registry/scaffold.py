"""Writes the folder of a new connector whose contract suite passes, for its author to change bit by bit."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

from hub.sdk.errors import ConfigurationError

Kind = Literal["destination", "source"]
SUFFIX = ".tmpl"
_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")


def scaffold(name: str, parent: Path, kind: Kind = "destination", taken: Collection[str] = ()) -> list[Path]:
    """Write `parent/name` and give the files written. Raises ConfigurationError if the name or the place will not do."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ConfigurationError(
            f"{name!r} cannot name a connector: lower-case letters, digits and _, beginning with a letter."
        )
    folder = parent / name
    if name in taken:
        raise ConfigurationError(f"There is a connector {name!r} already; choose another name.")
    if folder.exists():
        raise ConfigurationError(f"{folder} exists already; nothing was written.")
    words = {
        "name": name,
        "Class": "".join(part.title() for part in name.split("_")),
        "Title": " ".join(part.title() for part in name.split("_")),
        "host": f"{name.replace('_', '-')}.example",
        "parent": str(parent),
    }
    return sorted(_write(files("hub.registry") / "templates" / kind, folder, words))


def _write(template: Traversable, folder: Path, words: dict[str, str]) -> list[Path]:
    folder.mkdir(parents=True)
    written: list[Path] = []
    for entry in template.iterdir():
        if entry.is_dir():
            written += _write(entry, folder / entry.name, words)
        elif entry.name.endswith(SUFFIX):
            path = folder / entry.name.removesuffix(SUFFIX)
            path.write_text(_filled(entry.read_text("utf-8"), words), "utf-8")
            written.append(path)
    return written


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace("{{" + word + "}}", value)
    return text
