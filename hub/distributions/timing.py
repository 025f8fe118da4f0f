"""A trigger's instants, whatever its kind."""

from __future__ import annotations

from hub.core.clock import Micros, iso
from hub.distributions.cron import cron
from hub.distributions.rules import latest_interval, next_interval, trigger_of
from hub.distributions.values import Json, Trigger
from hub.sdk.errors import ConfigurationError


def check_trigger(given: Json, now: Micros) -> Trigger:
    """Read a trigger that is being set at `now`. Raises ConfigurationError if it is none or will never fire."""
    trigger = trigger_of(given)
    if trigger.kind != "manual" and next_at(trigger, now, now) is None:
        when = f" at {iso(trigger.at)}" if trigger.at is not None else ""
        raise ConfigurationError(f"The trigger{when} lies in the past and would never fire; choose a later time.")
    return trigger


def next_at(trigger: Trigger, created_at: Micros, after: Micros) -> Micros | None:
    """The first instant later than `after`, or None if there is none (any more)."""
    if trigger.kind == "cron":
        return cron(trigger.expression, trigger.timezone).next(after)
    if trigger.kind == "interval":
        return next_interval(trigger, created_at, after)
    return trigger.at if trigger.at is not None and trigger.at > after else None


def latest_at(trigger: Trigger, created_at: Micros, after: Micros, until: Micros) -> Micros | None:
    """The last instant later than `after` and not later than `until`, or None: of several missed ones the one to run."""
    if trigger.kind == "cron":
        return cron(trigger.expression, trigger.timezone).latest(after, until)
    latest = latest_interval(trigger, created_at, until) if trigger.kind == "interval" else trigger.at
    return latest if latest is not None and after < latest <= until else None
