"""The other end of a source: a vendor that sends webhooks, signed as the real one signs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from hub.sdk.json import dumps
from hub.sdk.values import InboundRequest, Json

PLACE = "secret-stands-here"


class SimulatedSource:
    """Signs webhooks for one source. A folder's simulator.py holds one subclass; the contract suite uses it."""

    takes_batches: ClassVar[bool] = True
    """Whether the vendor may put several messages into one request."""

    signs_the_body: ClassVar[bool] = True
    """Whether the signature covers the body; False where a shared token in a header is all there is."""

    @classmethod
    def settings(cls, secret: str, previous: str | None = None) -> dict[str, Any]:
        """Settings of a connection that knows `secret` and, during a rotation, still `previous`."""
        raise NotImplementedError(f"{cls.__name__} must say which setting holds the secret")

    @classmethod
    def example_messages(cls) -> Sequence[Json]:
        """Two messages or more, as the vendor words them."""
        raise NotImplementedError(f"{cls.__name__} must give example messages")

    def traits(self, message_id: str, source_id: str, at: datetime, traits: Mapping[str, Json]) -> Json:
        """A message that tells of a person's traits, for demos of whole industries."""
        raise NotImplementedError(f"{type(self).__name__} does not say how its vendor tells of traits")

    def event(self, message_id: str, source_id: str, at: datetime, name: str, properties: Mapping[str, Json]) -> Json:
        """A message that tells of something a person did, for the same."""
        raise NotImplementedError(f"{type(self).__name__} does not say how its vendor tells of events")

    def body(self, messages: Sequence[Json]) -> bytes:
        """The body that carries these messages. Default: the message itself, or a JSON array of several."""
        return dumps(messages[0] if len(messages) == 1 else list(messages))

    def signed(self, body: bytes, secret: str, now: datetime) -> InboundRequest:
        """The request that carries this body, signed with `secret`."""
        raise NotImplementedError(f"{type(self).__name__} must sign as its vendor does")

    def sample(self, settings: Mapping[str, Any], number: str, now: datetime) -> InboundRequest:
        """One message to a source with these settings, secrets in the clear: about nobody who exists, and under an id of
        its own (`number` is in both), so that it is taken like any other. Raises ValueError where the settings ask for
        what this cannot sign."""
        example = dumps(self.example_messages()[0])
        for old, new in self.sample_ids(number).items():
            example = example.replace(dumps(old), dumps(new))
        field, template = next((name, text) for name, text in self.settings(PLACE).items() if text and PLACE in text)
        known = str(settings.get(field) or "")
        if not known:
            raise ValueError(f"it has no {field}")
        before, _, after = template.partition(PLACE)
        if known.startswith(before) and known.endswith(after):
            return self.signed(example, known[len(before) : len(known) - len(after)], now)
        placed = self.signed(
            example, PLACE, now
        )  # a value that is presented as it is, without the vendor's usual frame
        return replace(placed, headers={name: text.replace(template, known) for name, text in placed.headers.items()})

    def sample_ids(self, number: str) -> Mapping[str, str]:
        """Ids of the first example message, as a test message has them instead: the message's and the person's."""
        raise NotImplementedError(f"{type(self).__name__} must say which ids of its first example to put others in for")

    def webhook(self, messages: Sequence[Json], secret: str, now: datetime) -> InboundRequest:
        """The request that carries these messages, signed with `secret`."""
        return self.signed(self.body(messages), secret, now)

    def erasure(self, request_id: str, callback: str, secret: str, now: datetime) -> InboundRequest | None:
        """The request by which the vendor asks to erase a person and to be told at `callback`; None where it never
        asks what came of that."""
        return None

    def question(self, request_id: str, secret: str, now: datetime, *, withdraw: bool = False) -> InboundRequest:
        """The request by which it asks where that stands, or takes it back; needed where `erasure` gives one."""
        raise NotImplementedError(
            f"{type(self).__name__} follows requests to erase and must say how it asks after them"
        )


def post(body: bytes, headers: dict[str, str], now: datetime, path: str = "") -> InboundRequest:
    """A POST as the hub hands it to a source."""
    return InboundRequest(
        "POST", path, {}, {"content-type": "application/json", **headers}, body, body, "203.0.113.9", now
    )
