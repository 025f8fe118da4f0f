"""What a simulator is asked and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.sdk.json import dumps, loads
from hub.sdk.values import EMPTY, Json


@dataclass(frozen=True, slots=True)
class SimRequest:
    """One call as it came over the wire. Header names are lower-case; `params` are the `{names}` of the route."""

    method: str
    path: str
    query: Mapping[str, str] = EMPTY
    headers: Mapping[str, str] = EMPTY
    body: bytes = b""
    host: str = "api"
    params: Mapping[str, str] = EMPTY

    def json(self) -> Json:
        """The body as JSON, or None if it is not JSON."""
        try:
            return loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class SimResponse:
    """An answer: `json` is encoded unless `body` is given."""

    status: int = 200
    json: Json = None
    headers: Mapping[str, str] = EMPTY
    body: bytes | None = None

    def content(self) -> bytes:
        if self.body is not None:
            return self.body
        return b"" if self.json is None else dumps(self.json)

    def content_type(self) -> str:
        return "text/html; charset=utf-8" if self.content()[:1] == b"<" else "application/json"


class Refused(Exception):
    """Raised anywhere inside an endpoint to end it with this answer."""

    def __init__(self, response: SimResponse) -> None:
        super().__init__(response.status)
        self.response = response
