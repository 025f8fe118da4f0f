"""A day of one industry, played by the demo: its people, their sessions and orders, spread over yesterday."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple

from hub.admin.connections import reveal_once
from hub.admin.industries import Industry, set_up
from hub.cli.demo import Demo, DemoFailed, done, sender, until
from hub.cli.terminal import echo
from hub.core import clock
from hub.core.database import write
from hub.mapping.values.text import snake
from hub.registry import store as registry
from hub.registry.discovery import Found
from hub.runtime.process.installation import Installation
from hub.sdk.kit.simulator.base import Simulator
from hub.sdk.kit.simulator.source import SimulatedSource

ACTOR = "demo"


class Moment(NamedTuple):
    """One message of the day."""

    at: datetime
    source_id: str
    message: Any


class IndustryDemo(Demo):
    """The same steps, with what `hub init --industry` sets up and the people of its example."""

    def __init__(self, industry: Industry, hub: Installation) -> None:
        super().__init__(hub)
        self.industry = industry

    def takes_part(self, destination: Found) -> bool:
        return destination.name == self.industry.destination

    def explain_absence(self) -> None:
        """One destination takes part, as the command says."""

    def send_webhooks(self) -> dict[str, Any]:
        """Set everything up, send the day in the order in which it happened, and say what must come of it."""
        with write(self.hub.engine) as database:
            target = registry.find(database, self.hub.vault, "destination", self.industry.destination)
            made = set_up(self.hub, database, clock.now(), self.industry, ACTOR, destination=target)
            assert made.new_source is not None, "a hub of its own has no source yet"
            source = reveal_once(self.hub, made.new_source)
        for step in made.steps:
            done(step.what)
        found = self.found[self.industry.source]
        self._until_mapped(source)
        day = moments(self.industry, sender(found), datetime.now(UTC))
        self.send(found, source["webhook_url"], source["secret"], [each.message for each in day])
        echo(f"  (from {day[0].at:%Y-%m-%d %H:%M} to {day[-1].at:%H:%M} UTC, {len(self.industry.people)} people)")
        return dict(expected(self.industry))

    def _until_mapped(self, source: Mapping[str, Any]) -> None:
        """The web role takes a new source up within a second."""
        url = f"{source['webhook_url']}"
        until(lambda: self.http.get(url, timeout=5).status_code != 404, "the new source was not taken up")

    def distribute(self, vendors: Mapping[str, Simulator], people: Mapping[str, Any]) -> None:
        name = self.industry.distribution["name"]
        self.post(f"distributions/{name}/run", {"key": "demo"})
        done(f"the distribution {name!r} runs by hand")

    def expect_balance(self) -> None:
        warned = [row for row in self.get("messages", limit="500")["messages"] if row["warnings"]]
        if warned:
            raise DemoFailed(f"values were dropped: {warned[0]['warnings']}")
        super().expect_balance()


def moments(industry: Industry, vendor: SimulatedSource, now: datetime) -> list[Moment]:
    """The messages of the day before `now`, in order; each person is introduced a minute before the first event."""
    return sorted(_moments(industry, vendor, now), key=lambda each: (each.at, each.source_id))


def _moments(industry: Industry, vendor: SimulatedSource, now: datetime) -> Iterator[Moment]:
    day = (now - timedelta(days=1)).date()
    for person in industry.people:
        who = person["id"]
        told = [(datetime.combine(day, time.fromisoformat(each["at"]), UTC), each) for each in person["day"]]
        first = min(at for at, _ in told) - timedelta(minutes=1)
        yield Moment(first, who, vendor.traits(f"{who}-0", who, first, person["traits"]))
        for place, (at, each) in enumerate(told, 1):
            yield Moment(at, who, vendor.event(f"{who}-{place}", who, at, each["event"], each["properties"]))


def expected(industry: Industry) -> Iterator[tuple[str, dict[str, Any]]]:
    """source_id and profile of each person at the end of the day."""
    for person in industry.people:
        counts = Counter(each.get("key") or snake(each["event"]) for each in person["day"])
        yield person["id"], {**person["becomes"], "events": dict(counts)}
