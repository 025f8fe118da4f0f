"""Finds connectors: bundled folders, drop-in folders and installed packages. Nothing registers itself anywhere.

- bundled: every folder of the `connectors` package;
- drop-ins: every folder in HUB_CONNECTORS_PATH, loaded as `connectors.<name>` by extending that package's path;
- packages: the entry-point group `hub.connectors`, whose value names a package with the same files.

A connector that cannot be loaded does not break the hub: it is listed with the sentence that says why.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Literal, TypeVar

from hub.sdk.contract import Connector, Destination, Source
from hub.sdk.declared import build, example_settings, secret_fields
from hub.sdk.errors import ConfigurationError
from hub.sdk.kit.simulator.base import Simulator
from hub.sdk.kit.simulator.source import SimulatedSource
from hub.sdk.kit.subject import Subject

__all__ = ["Found", "build", "discover", "example_settings", "get", "secret_fields"]

PACKAGE = "connectors"
GROUP = "hub.connectors"
Origin = Literal["bundled", "drop-in", "package"]
C = TypeVar("C", bound=Connector)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found:
    """One connector. With `error` set, the classes are None and the sentence says what to repair."""

    name: str
    folder: Path
    package: str
    origin: Origin
    source_class: type[Source] | None = None
    destination_class: type[Destination] | None = None
    error: str = ""

    @property
    def title(self) -> str:
        one = self.destination_class or self.source_class
        return one.title if one else self.name

    @property
    def case_files(self) -> Sequence[Path]:
        """Its `cases/*.yaml`, sorted."""
        return sorted((self.folder / "cases").glob("*.yaml"))

    @property
    def mapping_path(self) -> Path | None:
        """The folder's own `mapping.yaml`, else the bundled one. A file in HUB_MAPPINGS_PATH wins over both."""
        candidates = [self.folder / "mapping.yaml", *(folder / f"{self.name}.yaml" for folder in _bundled("mappings"))]
        return next((path for path in candidates if path.is_file()), None)

    @property
    def docs_path(self) -> Path | None:
        """Its page for operators: `docs/connectors/<name>.md` of a checkout, or the folder's own README.md."""
        candidates = [self.folder / "README.md", self.folder.parent.parent / "docs" / PACKAGE / f"{self.name}.md"]
        return next((path for path in candidates if path.is_file()), None)

    def simulator_class(self) -> type[Simulator] | None:
        """What plays the vendor of its destination, loaded now. Raises ConfigurationError if that fails."""
        return self._in_simulator(Simulator)

    def sender_class(self) -> type[SimulatedSource] | None:
        """What plays the vendor of its source, loaded now. Raises ConfigurationError if that fails."""
        return self._in_simulator(SimulatedSource)

    def subject(self) -> Subject:
        """This connector as the contract suite takes it. Raises ConfigurationError if it cannot be loaded."""
        if self.error:
            raise ConfigurationError(self.error)
        return Subject(
            name=self.name,
            folder=self.folder,
            source_class=self.source_class,
            destination_class=self.destination_class,
            simulator_class=self.simulator_class(),
            sender_class=self.sender_class(),
            case_files=tuple(self.case_files),
            docs_path=self.docs_path,
        )

    def _in_simulator(self, base: type[T]) -> type[T] | None:
        if not (self.folder / "simulator.py").is_file():
            return None
        return next(iter(_classes(_load(f"{self.package}.simulator"), base)), None)


def discover(extra_path: str = "") -> Mapping[str, Found]:
    """Every connector there is, by name, sorted. `extra_path` is HUB_CONNECTORS_PATH, separated as in PATH.

    Loading runs the connectors' code, so a role calls this once, when it starts.
    """
    dropped = [Path(part).expanduser().resolve() for part in extra_path.split(os.pathsep) if part]
    _extend(dropped)
    found: dict[str, Found] = {}
    for folder, origin in _folders(dropped):
        taken = found.get(folder.name)
        if taken is None:
            found[folder.name] = _inspect(folder.name, folder, f"{PACKAGE}.{folder.name}", origin)
        else:
            words = f"The name {folder.name!r} belongs to the connector in {taken.folder}; rename this folder."
            shown = f"{folder.name} in {folder.parent}"
            found[shown] = Found(shown, folder, "", origin, error=words)
    for entry in sorted(entry_points(group=GROUP), key=lambda one: one.name):
        if entry.name not in found:
            found[entry.name] = _installed(entry.name, entry.value)
    return dict(sorted(found.items()))


def get(found: Mapping[str, Found], name: str) -> Found:
    """The connector of this name, ready for use. Raises ConfigurationError if there is none or it is broken."""
    one = found.get(name)
    if one is None:
        known = ", ".join(other.name for other in found.values() if not other.error)
        raise ConfigurationError(
            f"There is no connector {name!r}; there are {known}. `hub connectors list` shows them."
        )
    if one.error:
        raise ConfigurationError(one.error)
    return one


# ── where to look ────────────────────────────────────────────────────────────────────────────────────────────────


def _bundled(package: str) -> list[Path]:
    spec = find_spec(package)
    return [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []


def _extend(dropped: Sequence[Path]) -> None:
    """Let `connectors.<name>` be found in the drop-in folders too; those of an earlier call are forgotten."""
    package = importlib.import_module(PACKAGE)
    own = getattr(package, "bundled_path", None) or list(package.__path__)
    package.bundled_path = own  # type: ignore[attr-defined] # remembered where it belongs, so that it outlives a reload
    package.__path__ = [*own, *map(str, dropped)]
    importlib.invalidate_caches()


def _folders(dropped: Sequence[Path]) -> Iterator[tuple[Path, Origin]]:
    own = [Path(place) for place in importlib.import_module(PACKAGE).bundled_path]
    for places, origin in ((own, "bundled"), (dropped, "drop-in")):
        for place in places:
            for connector in sorted(place.glob("*/connector.py")):
                yield connector.parent, origin  # type: ignore[misc] # mypy widens the literals of the tuple to str


def _installed(name: str, package: str) -> Found:
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        words = (
            f"The entry point {name!r} names {package!r}, which is not an installed package; reinstall or remove it."
        )
        return Found(name, Path(), package, "package", error=words)
    return _inspect(name, Path(spec.submodule_search_locations[0]), package, "package")


# ── what is there ────────────────────────────────────────────────────────────────────────────────────────────────


def _inspect(name: str, folder: Path, package: str, origin: Origin) -> Found:
    try:
        _forget_others(package, folder)
        module = _load(f"{package}.connector")
        source, destination = _at_most_one(module, Source), _at_most_one(module, Destination)
    except ConfigurationError as error:
        return Found(name, folder, package, origin, error=str(error))
    if source is None and destination is None:
        words = f"{folder / 'connector.py'} defines neither a Source nor a Destination."
        return Found(name, folder, package, origin, error=words)
    return Found(name, folder, package, origin, source, destination)


def _load(module: str) -> ModuleType:
    """Import it. Raises ConfigurationError, whatever its code does."""
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:  # it runs foreign code, which may raise anything
        raise ConfigurationError(f"{module} cannot be loaded: {type(error).__name__}: {error}") from error


def _forget_others(package: str, folder: Path) -> None:
    """Drop what was loaded under this name from another folder, so that a path named anew is really read."""
    if package not in sys.modules:
        return
    known, within = sys.modules.copy(), f"{package}."  # a copy: other threads import while this one looks
    loaded = {name: module for name, module in known.items() if name.startswith(within) or name == package}
    files = [Path(module.__file__).parent for module in loaded.values() if module.__file__]  # a namespace has no file
    if any(place != folder and folder not in place.parents for place in files):
        for name in loaded:
            del sys.modules[name]


def _classes(module: ModuleType, base: type[T]) -> list[type[T]]:
    """The subclasses of `base` that this module itself defines."""
    return [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, base) and one.__module__ == module.__name__
    ]


def _at_most_one(module: ModuleType, base: type[C]) -> type[C] | None:
    found = _classes(module, base)
    if len(found) > 1:
        names = ", ".join(one.__name__ for one in found)
        raise ConfigurationError(
            f"{module.__file__} defines {names}; a connector.py holds at most one {base.__name__}."
        )
    return found[0] if found else None
