"""The one set of filters that every list of records has."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any

import click

from hub.admin.filters import NAMES, Asked
from hub.core import clock
from hub.core.clock import Micros
from hub.core.filters import read_moment, read_span

Command = Callable[..., Any]


class Moment(click.ParamType[Micros]):
    """A time as people write it."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Micros:
        try:
            return value if isinstance(value, int) else read_moment(value, clock.now())
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a time; write 2h, 1d, yesterday, 2026-12-01 or 2026-12-01T09:00+01:00.")


class Span(click.ParamType[Micros]):
    """How long something lasts."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Micros:
        try:
            return value if isinstance(value, int) else read_span(value)
        except ValueError:
            self.fail(f"{value!r} is not a length of time; write 30m, 24h or 7d.")


def filtered(
    *statuses: str, default: str | None = None, also: Sequence[str] = (), without: Collection[str] = ()
) -> Callable[[Command], Command]:
    """The options, packed into one argument `asked`. `also` are older names of --status."""
    options = {
        "since": click.option("--since", type=Moment(), help="From then on: 2h, 1d, yesterday, 2026-12-01T09:00."),
        "until": click.option("--until", type=Moment(), help="Before then."),
        "connection": click.option("--connection", help="Of this source or destination, by name."),
        "status": click.option(
            "--status", *also, "status", type=click.Choice(statuses), default=default, show_default=True
        ),
        "reason": click.option("--reason", help="With this reason."),
        "source_id": click.option("--source-id", help="Of this person."),
        "text": click.option("--text", help="With this text in what the list tells, in whatever case."),
    }

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def packed(**given: Any) -> Any:
            asked = Asked(**{name: given.pop(name, None) for name in NAMES})
            return command(asked=asked, **given)

        for name in reversed(NAMES):
            if name not in without:
                packed = options[name](packed)
        return packed

    return decorate
