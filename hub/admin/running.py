"""The running hub: what its roles say of themselves with their heartbeats, and what is wrong with that.

`/readyz` and `hub doctor` both read it, so they speak of the processes that do the work and not of whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection as Database

from hub.core.clock import Micros
from hub.registry.values import Connection
from hub.runtime.process.heartbeat import RoleHealth, health, troubles
from hub.runtime.process.installation import Installation
from hub.runtime.process.report import missing_folders


@dataclass(frozen=True)
class RunningHub:
    """Every role that runs or has died, by name, as its heartbeats tell."""

    roles: Mapping[str, RoleHealth]

    @property
    def is_running(self) -> bool:
        """Whether any role is alive."""
        return any(role.alive for role in self.roles.values())

    @property
    def troubles(self) -> Mapping[str, str]:
        """Role to what is wrong with it: not running, silent, crashing."""
        return troubles(self.roles)

    @property
    def broken_mappings(self) -> Mapping[str, str]:
        """Connection id to what is wrong with its mapping file, as the schedule role finds it."""
        schedule = self.roles.get("schedule")
        return schedule.report.get("mappings", {}) if schedule else {}

    @property
    def waits(self) -> Mapping[str, tuple[str, Micros | None]]:
        """Connection id to why the deliver role sends nothing for it, and until when."""
        deliver = self.roles.get("deliver")
        return deliver.report.get("lanes", {}) if deliver else {}

    def lacks(self, connection: Connection) -> str:
        """The sentence about a connection whose connector a role does not have; empty where all have it."""
        roles = [role for role, found in self._reporting() if connection.connector not in found.report["connectors"]]
        if not roles:
            return ""
        name = f"{connection.role} {connection.name!r}"
        return f"The {name} needs the connector {connection.connector!r}, which {_and(roles)} cannot use; see the connectors."

    def findings(self) -> Iterator[str]:
        """A sentence for each thing the running roles lack: folders, connectors, agreement among themselves."""
        for folder, roles in self._by_role(lambda report: report["missing_folders"]):
            yield f"{folder} does not exist for {_and(roles)}; correct HUB_CONNECTORS_PATH or HUB_MAPPINGS_PATH."
        for (name, why), roles in self._by_role(lambda report: report["broken"].items()):
            yield f"The connector {name!r} cannot be loaded by {_and(roles)}: {why}"
        usable = {role: set(found.report["connectors"]) for role, found in self._reporting()}
        for name in sorted(set().union(*usable.values())):
            lacking = [role for role, names in usable.items() if name not in names]
            if lacking:
                yield f"The connector {name!r} is not there for {_and(lacking)}; `hub connectors reload` lets every role look again."

    def usable(self) -> Iterator[str]:
        """The connectors of each role, drop-ins with their folder; roles that agree in one sentence."""
        for names, roles in self._by_role(
            lambda report: [(tuple(report["connectors"]), tuple(report["dropped"].items()))]
        ):
            dropped = "".join(f"; {name} from {folder}" for name, folder in names[1])
            yield f"Connectors of {_and(roles)}: {', '.join(names[0])}{dropped}."

    def differences(self, hub: Installation) -> Iterator[str]:
        """Where this shell sees another installation than the roles do."""
        settings = hub.settings
        for name in ("connectors_path", "mappings_path"):
            here = getattr(settings, name)
            for there, roles in self._by_role(itemgetter(name), is_one=True):
                if here != there:
                    yield f"HUB_{name.upper()} is {here or 'empty'} in this shell, but {there or 'empty'} for {_and(roles)}."
        for folder in missing_folders(settings.connectors_path, settings.mappings_path):
            yield f"{folder} does not exist; correct HUB_CONNECTORS_PATH or HUB_MAPPINGS_PATH of this shell."

    def _by_role(
        self, things: Callable[[Mapping[str, Any]], Any], *, is_one: bool = False
    ) -> Iterator[tuple[Any, list[str]]]:
        """Each thing that roles report, with those that do."""
        found: dict[Any, list[str]] = {}
        for role, each in self._reporting():
            for thing in [things(each.report)] if is_one else things(each.report):
                found.setdefault(thing, []).append(role)
        yield from found.items()

    def _reporting(self) -> list[tuple[str, RoleHealth]]:
        return [(role, found) for role, found in self.roles.items() if found.report]


def running(database: Database, now: Micros) -> RunningHub:
    """The hub as it runs at this moment."""
    return RunningHub(health(database, now))


def _and(roles: list[str]) -> str:
    return f"the role {roles[0]}" if len(roles) == 1 else f"the roles {', '.join(roles[:-1])} and {roles[-1]}"
