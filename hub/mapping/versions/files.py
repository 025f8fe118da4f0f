"""Where mapping files are found: HUB_MAPPINGS_PATH, then the connector's own folder, then the bundled ones."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from hub.mapping.language.document import Node, load
from hub.mapping.language.patch import patched
from hub.mapping.language.problems import MappingFileInvalid, problem
from hub.sdk.errors import MappingInvalid

MAX_EXTENDS = 5
INDUSTRIES = "industries"  # folder of the bundled mappings that extend others for one trade
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class Stamp(NamedTuple):
    """A file as it was when it was read; a changed time or size means it is read again."""

    path: str
    modified_ns: int
    size: int


@dataclass(frozen=True, slots=True)
class Folders:
    """`mappings` hold `<name>.yaml`; `connectors` hold `<name>/mapping.yaml`. The bundled files come last."""

    mappings: Sequence[Path] = ()
    connectors: Sequence[Path] = ()

    @classmethod
    def of(cls, mappings_path: str, connectors_path: str = "") -> Folders:
        """From settings, separated as in PATH. Bundled connectors may bring a mapping of their own too."""
        own = [Path(part) for part in connectors_path.split(os.pathsep) if part]
        return cls([Path(part) for part in mappings_path.split(os.pathsep) if part], [*own, _bundled("connectors")])

    def candidates(self, name: str) -> list[Path]:
        """Where a mapping of this name may stand, best first."""
        if not _NAME.fullmatch(name):
            raise MappingInvalid(f"{name!r} is not a mapping name; a name has letters, digits, `_` and `-` only.")
        return [
            *(folder / f"{name}.yaml" for folder in self.mappings),
            *(folder / name / "mapping.yaml" for folder in self.connectors),
            _bundled("mappings") / f"{name}.yaml",
            _bundled("mappings") / INDUSTRIES / f"{name}.yaml",
        ]


class Source(NamedTuple):
    """A document with everything it extends already under it, and the files it was made of."""

    document: Node
    files: tuple[Stamp, ...]


def read(name: str, patch: str, folders: Folders, called: str = "patch of the connection") -> Source:
    """The mapping of this name with a connection's patch over it. Raises MappingInvalid, with file, line and column;
    `called` stands for the patch's file."""
    source = _read_named(name, folders, frozenset())
    if not patch.strip():
        return source
    over = load(patch, called)
    _expect_map(over)
    return Source(patched(source.document, over), source.files)


def read_file(path: Path, folders: Folders) -> Source:
    """One file by its path, with what it extends. Raises MappingInvalid."""
    return _read_path(path, folders, frozenset())


def names(folders: Folders) -> list[str]:
    """Every mapping there is, by name."""
    bundled = _bundled("mappings")
    places = (*folders.mappings, bundled, bundled / INDUSTRIES)
    found = {path.stem for folder in places for path in folder.glob("*.yaml")}
    found |= {path.parent.name for folder in folders.connectors for path in folder.glob("*/mapping.yaml")}
    return sorted(name for name in found if _NAME.fullmatch(name))


def _read_named(name: str, folders: Folders, seen: frozenset[Path]) -> Source:
    for path in folders.candidates(name):
        if path.resolve() not in seen and path.is_file():
            return _read_path(path, folders, seen)
    if seen:
        raise MappingInvalid(f"There is no mapping {name!r} that this file could extend.")
    raise MappingInvalid(f"There is no mapping {name!r}; there are {', '.join(names(folders)) or 'none'}.")


def _read_path(path: Path, folders: Folders, seen: frozenset[Path]) -> Source:
    try:
        status = path.stat()
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingInvalid(f"{path} cannot be read: {error}.") from error
    document = load(text, str(path))
    _expect_map(document)
    stamp = Stamp(str(path), status.st_mtime_ns, status.st_size)
    extends = document.get("extends")
    if extends is None:
        return Source(document, (stamp,))
    if len(seen) >= MAX_EXTENDS:
        raise MappingFileInvalid([problem(extends.mark, "extends", f"more than {MAX_EXTENDS} files extend each other")])
    base = _read_named(str(extends.value), folders, seen | {path.resolve()})
    return Source(patched(base.document, document), (stamp, *base.files))


def _expect_map(document: Node) -> None:
    if not document.is_map:
        raise MappingFileInvalid([problem(document.mark, "", "a mapping file is a map")])


def _bundled(package: str) -> Path:
    """The folder of a package of data; works from a checkout and from an installed wheel."""
    return Path(str(resources.files(package)))
