"""One connector as the contract suite takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.sdk.contract import Destination, Source
from hub.sdk.kit.sender import SimulatedSource
from hub.sdk.kit.simulator import Simulator


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
