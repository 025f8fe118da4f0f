"""One connector as the contract suite takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from hub.sdk.contract import Connector, Destination, Source
from hub.sdk.errors import ConfigurationError
from hub.sdk.kit.simulator.base import Simulator
from hub.sdk.kit.simulator.source import SimulatedSource

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Subject:
    """A connector's folder with the classes found in it."""

    name: str
    folder: Path
    source_class: type[Source] | None = None
    destination_class: type[Destination] | None = None
    simulator_class: type[Simulator] | None = None
    sender_class: type[SimulatedSource] | None = None
    case_files: Sequence[Path] = ()
    docs_path: Path | None = None


def subject_of(*modules: ModuleType) -> Subject:
    """The connector that these modules make up: its connector.py and its simulator.py, imported.

    Its cases are `cases/*.yaml` and its page is README.md in the folder of the first. Raises ConfigurationError for a
    module that holds no connector.
    """
    source, destination = _first(modules, Source), _first(modules, Destination)
    one: type[Connector] | None = destination or source
    if one is None or not modules[0].__file__:
        raise ConfigurationError("None of these modules defines a Source or a Destination.")
    folder = Path(modules[0].__file__).resolve().parent
    page = folder / "README.md"
    return Subject(
        one.name,
        folder,
        source,
        destination,
        _first(modules, Simulator),
        _first(modules, SimulatedSource),
        tuple(sorted((folder / "cases").glob("*.yaml"))),
        page if page.is_file() else None,
    )


def _first(modules: Sequence[ModuleType], base: type[T]) -> type[T] | None:
    """The first subclass of `base` that one of these modules itself defines."""
    for module in modules:
        for one in vars(module).values():
            if isinstance(one, type) and issubclass(one, base) and one.__module__ == module.__name__:
                return one
    return None
