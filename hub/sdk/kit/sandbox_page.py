"""The page of `hub sandbox`: every simulator, how to connect it, and what it received, newest first and masked.

GET /            the page, which refreshes itself
GET /index.json  the same as JSON
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any, ClassVar
from urllib.parse import quote, urlencode
from zlib import crc32

from hub.sdk.declared import secret_fields
from hub.sdk.json import dumps
from hub.sdk.kit.simulator.base import Simulator, route
from hub.sdk.kit.simulator.exchange import SimRequest, SimResponse
from hub.sdk.kit.simulator.server import serve
from hub.sdk.kit.subject import Subject

MASK = "***"
SHOWN = 20
DERIVED, DERIVED_PLACES = 100, 900
REFRESH_S = 3
BODY_CHARS = 4_000
CREDENTIALS = re.compile(r"authorization|signature|api-?key|token|secret|password", re.IGNORECASE)
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1d2433}"
    "pre{background:#f4f6fa;padding:.6rem;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere;border-radius:6px}"
    "h2{border-top:1px solid #d8dde8;padding-top:1rem}summary{cursor:pointer}code{font-size:.9em}"
)


@dataclass(frozen=True, slots=True)
class Stand:
    """One simulator of the sandbox at its address."""

    subject: Subject
    title: str
    simulator: Simulator
    url: str

    @property
    def command(self) -> str:
        """What connects a hub to it."""
        hosts = {f"hosts.{name}": url for name, url in self.simulator.base_urls(self.url).items()}
        pairs = [f"--set {name}={_quoted(value)}" for name, value in {**self._settings(), **hosts}.items()]
        return " ".join([f"hub destinations add {self.subject.name} --name {self.subject.name}-sandbox", *pairs])

    def shown(self) -> dict[str, Any]:
        """As JSON: its address, the command, and its last calls, newest first."""
        with self.simulator.lock:
            calls = list(self.simulator.received)
            counts = {name: len(getattr(self.simulator, name)) for name in ("profiles", "events", "messages")}
            unexpected = list(self.simulator.unexpected)
        return {
            "name": self.subject.name,
            "title": self.title,
            "url": self.url,
            "connect": self.command,
            "state": f"{self.url}/_sim/state",
            "holds": counts,
            "calls": len(calls),
            "unexpected": unexpected,
            "received": [self._call(one) for one in reversed(calls[-SHOWN:])],
        }

    def _settings(self) -> dict[str, Any]:
        return self.simulator.example_settings()

    def _call(self, call: SimRequest) -> dict[str, Any]:
        query = f"?{urlencode(call.query)}" if call.query else ""
        headers = {
            name: MASK if CREDENTIALS.search(name) else self._masked(value) for name, value in call.headers.items()
        }
        body = self._masked(call.body.decode("utf-8", "replace"))[:BODY_CHARS]
        return {"call": self._masked(f"{call.method} {call.path}{query}"), "headers": headers, "body": body}

    def _masked(self, text: str) -> str:
        assert self.subject.destination_class is not None
        names = secret_fields(self.subject.destination_class.Settings)
        for value in (str(value) for name, value in self._settings().items() if name in names and value):
            text = text.replace(value, MASK).replace(quote(value), MASK)
        return text


class Board(Simulator):
    """The page itself, served like a simulator."""

    kept: ClassVar[Sequence[str]] = ()

    def __init__(self, stands: Sequence[Stand]) -> None:
        super().__init__(is_recording=False)
        self.stands = stands

    @route("GET", "/index.json")
    def index(self, _request: SimRequest) -> SimResponse:
        return SimResponse(200, {"simulators": [one.shown() for one in self.stands]})

    @route("GET", "/")
    def page(self, _request: SimRequest) -> SimResponse:
        return SimResponse(200, body=_page([one.shown() for one in self.stands]).encode())


def places_of(subjects: Iterable[Subject]) -> dict[str, int]:
    """Where each vendor stands behind the page's port, by the connector's name, so that adding one moves no other.

    A simulator that declares its `sandbox_place` has it. Every other has one from its name alone; where two names come to
    the same, or a place is declared twice, the later name takes the next place that is free.
    """
    served = sorted(
        (one.name, one.simulator_class.sandbox_place) for one in subjects if one.simulator_class is not None
    )
    places: dict[str, int] = {}
    for name, declared in sorted(served, key=lambda one: not one[1]):
        place = declared or DERIVED + crc32(name.encode()) % DERIVED_PLACES
        while place in places.values():
            place += 1
        places[name] = place
    return places


@contextmanager
def sandbox(
    subjects: Mapping[str, Subject], host: str, port: int, reached_as: str = ""
) -> Iterator[tuple[str, Sequence[Stand]]]:
    """Serve the page at `port` and every simulator at its place behind it; gives the page's URL and the stands.

    `subjects` by title. With port 0 every port is one that is free. `reached_as`: the name under which hubs know this
    host, where it is not `host`, as between containers.
    """
    with ExitStack() as stack:
        stands = []
        places = places_of(subjects.values())
        for title, subject in subjects.items():
            if subject.simulator_class is not None:
                simulator = subject.simulator_class()
                url = stack.enter_context(serve(simulator, host, port and port + places[subject.name]))
                simulator.url = url.replace(host, reached_as, 1) if reached_as else url
                stands.append(Stand(subject, title, simulator, simulator.url))
        yield stack.enter_context(serve(Board(stands), host, port)), stands


def _page(stands: Sequence[Mapping[str, Any]]) -> str:
    total = sum(one["calls"] for one in stands)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="{REFRESH_S}">'
        f"<title>Sandbox: {total} calls</title><style>{STYLE}</style></head><body><h1>Sandbox</h1>"
        f"<p>{len(stands)} simulated vendors have received {total} calls. Nothing leaves this machine. "
        f'The same as JSON: <a href="/index.json">/index.json</a>.</p>{"".join(map(_section, stands))}</body></html>'
    )


def _section(one: Mapping[str, Any]) -> str:
    held = ", ".join(f"{count} {name}" for name, count in one["holds"].items())
    wrong = "".join(f"<p><strong>Unexpected: {escape(text)}</strong></p>" for text in one["unexpected"])
    calls = "".join(_call(call) for call in one["received"]) or "<p>No call yet.</p>"
    return (
        f'<h2 id="{escape(one["name"])}">{escape(one["title"])}</h2><p><code>{escape(one["url"])}</code> has received '
        f'{one["calls"]} calls and <a href="{escape(one["state"])}">holds</a> {held}. Connect it:</p>'
        f"<pre>{escape(one['connect'])}</pre>{wrong}{calls}"
    )


def _call(call: Mapping[str, Any]) -> str:
    headers = "\n".join(f"{name}: {value}" for name, value in call["headers"].items())
    detail = f"<pre>{escape(headers)}</pre><pre>{escape(call['body'])}</pre>"
    return f"<details><summary><code>{escape(call['call'])}</code></summary>{detail}</details>"


def _quoted(value: Any) -> str:
    text = value if isinstance(value, str) else dumps(value).decode()
    plain = re.fullmatch(r"[\w@%+=:,./-]+", text)
    return text if plain else "'" + text.replace("'", "'\"'\"'") + "'"
