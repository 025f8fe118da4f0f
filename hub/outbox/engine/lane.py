"""What the engine keeps in mind about one connection: its sender, budgets, circuit, and the profiles under way."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from hub.core import clock
from hub.core.clock import Micros
from hub.core.secrets import Vault
from hub.outbox.engine.build import Builder
from hub.outbox.limits.circuit_breaker import Circuit
from hub.outbox.limits.rate_limits import Pace, Share
from hub.outbox.rules import Stopping
from hub.outbox.values import Mappings, People
from hub.outbox.wire.http import Sender
from hub.outbox.wire.kafka import Publisher
from hub.outbox.wire.masking import Mask
from hub.outbox.wire.senders import hosts_of, open_sender
from hub.registry.values import Connection
from hub.sdk.contract import Destination
from hub.sdk.kept_answers import KeptAnswers

AUTH = "auth: "  # how the reason begins of a pause that `check` may end
AUTH_AGAIN = "auth again: "  # credentials that `check` found good were refused: an operator must look
CONFIGURATION = "configuration: "
PROBE_FIRST_S = 15.0
PROBE_LONGEST_S = 1_800.0


@dataclass(slots=True)
class Probe:
    """When `check` is asked next about refused credentials."""

    at: float = 0.0
    pause_s: float = PROBE_FIRST_S
    is_running: bool = False
    is_over: bool = False  # the connector cannot tell: only an operator can resume


@dataclass(frozen=True, slots=True)
class Ports:
    """What the outbox needs of the rooms around it."""

    people: People
    mappings: Mappings
    vault: Vault | None = None
    allow_private: bool = False


class Wait(NamedTuple):
    """Why a connection sends nothing, and until when, if that is known."""

    why: str
    until: Micros | None = None


@dataclass(slots=True)
class Lane:
    """One connection at work."""

    connection: Connection
    destination: Destination
    builder: Builder
    sender: Sender | Publisher
    share: Share
    mask: Mask
    answers: KeptAnswers = field(default_factory=KeptAnswers)
    circuit: Circuit = field(default_factory=Circuit)
    people: set[str] = field(default_factory=set)  # whose calls are under way, by survivor
    jobs: int = 0
    tokens: set[str] = field(default_factory=set)  # jobs being asked after
    stopped_routes: set[str] = field(default_factory=set)  # paused in this version of the connection
    held_routes: dict[str, float] = field(default_factory=dict)  # route -> not before
    look_at: float = 0.0
    looked_at: float = 0.0
    due_at: Micros | None = None  # of its next delivery, as far as is known
    is_calm: bool = True  # nothing could be claimed at the last look
    stopped_version: int = -1  # nothing is sent until the connection is another version
    was_resumed: bool = False  # by a passing check, and no call has succeeded since
    probe: Probe = field(default_factory=Probe)

    def look(self, at: float, now: Micros, *, is_trial: bool) -> None:
        """The last look before a call, at that moment of both clocks. Raises Stopping if it must not be made now."""
        if self.stopped_version == self.connection.version:
            raise Stopping("The connection is paused; the delivery waits.")
        circuit = self.circuit
        if not is_trial and circuit.allows(at) is not None:
            wait = timedelta(seconds=max(1.0, circuit.opens_at - at))
            until = clock.to_datetime(now) + wait
            raise Stopping("The vendor has failed too often in a row; the delivery waits.", until=until)

    @property
    def is_open(self) -> bool:
        """Whether deliveries may be claimed for it at all."""
        connection = self.connection
        if not connection.mapping_hash:
            return False  # its mapping was never valid; the mapping watch tells why
        return connection.status == "active" and self.stopped_version != connection.version

    def wait(self, at: float, now: Micros) -> Wait | None:
        """Why nothing is sent for it at that moment of both clocks; None where nothing holds it back."""
        if self.stopped_version == self.connection.version:
            return Wait("it was stopped until its pause is stored")
        if self.circuit.allows(at) == 0:
            return Wait(
                "the vendor failed too often in a row; one batch tries it", _later(now, self.circuit.opens_at - at)
            )
        pause_s = self.share.longest_pause_s(at)
        return Wait("the vendor asked to slow down", _later(now, pause_s)) if pause_s else None

    def renew(self, connection: Connection, destination: Destination, pace: Pace, ports: Ports) -> None:
        """Take up a changed connection. What is under way and what was learnt stays."""
        fresh = open_lane(connection, destination, pace, ports)
        self.connection, self.destination, self.builder = connection, destination, fresh.builder
        self.sender, self.share, self.mask, self.answers = fresh.sender, fresh.share, fresh.mask, fresh.answers
        self.stopped_routes.clear()
        self.look_at = 0.0


def _later(now: Micros, wait_s: float) -> Micros:
    return now + round(max(0.0, wait_s) * 1_000_000)


def open_lane(connection: Connection, destination: Destination, pace: Pace, ports: Ports) -> Lane:
    """A lane for a connection as it is now. Raises ConfigurationError if its connector cannot say what it needs."""
    mask = Mask(connection.secrets.values())
    sender = open_sender(destination, hosts_of(destination, connection), mask, allow_private=ports.allow_private)
    share = pace.share(connection.id, connection.connector, destination)
    return Lane(
        connection, destination, Builder(connection, destination, ports.mappings, ports.vault), sender, share, mask
    )
