"""What every process of an installation opens first: settings, database, vault, connectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine

from hub.core.database import open_database, parse_url
from hub.core.secrets import Vault, open_vault
from hub.core.settings import Settings
from hub.mapping.versions.files import Folders
from hub.registry.discovery import Found, discover


@dataclass(frozen=True)
class Installation:
    """One hub, as a process sees it. Everything is opened on first use, so that a command pays for what it needs."""

    settings: Settings
    reports: dict[str, Callable[[], object]] = field(default_factory=dict, compare=False)
    """Parts of what this process reports of itself, JSON each, by name: whoever has something to tell puts it here."""

    @property
    def is_made(self) -> bool:
        """Whether there is anything to open yet: asking never makes it. A PostgreSQL database is taken to be there."""
        url = parse_url(self.settings.state_url)
        return url.get_backend_name() != "sqlite" or Path(url.database or "").is_file()

    @cached_property
    def engine(self) -> Engine:
        """The state database."""
        return open_database(self.settings.state_url)

    @cached_property
    def vault(self) -> Vault:
        return open_vault(self.settings)

    @cached_property
    def connectors(self) -> Mapping[str, Found]:
        return discover(self.settings.connectors_path)

    @cached_property
    def folders(self) -> Folders:
        """Where this installation's mapping files are."""
        return Folders.of(self.settings.mappings_path, self.settings.connectors_path)
