"""The ways in which a simulator can be told to misbehave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from hub.sdk.json import dumps
from hub.sdk.values import EMPTY, Json

FaultKind = Literal[
    "none", "answer", "html", "broken_json", "timeout", "reset", "accepted_then_timeout", "accepted_then_reset"
]
KINDS: tuple[str, ...] = get_args(FaultKind)
HTML_PAGE = b"<!DOCTYPE html><html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"
BROKEN_JSON = b'{"message":"succ'


@dataclass(frozen=True, slots=True)
class Fault:
    """One scripted misbehaviour, for calls whose path begins with `path`."""

    kind: FaultKind = "answer"
    status: int | None = None
    retry_after_s: float | None = None
    headers: Mapping[str, str] = EMPTY
    body: Json = None
    path: str = ""

    @property
    def acts(self) -> bool:
        """Whether the vendor does what it was asked before it falls silent."""
        return self.kind.startswith("accepted_")

    @property
    def silence(self) -> Literal["timeout", "reset"] | None:
        """How the connection ends without an answer, if it does."""
        if self.kind.endswith("timeout"):
            return "timeout"
        return "reset" if self.kind.endswith("reset") else None

    def spoken(self) -> tuple[int, bytes]:
        """Status and body of a fault that is an answer."""
        if self.kind == "html":
            return self.status or 502, HTML_PAGE
        if self.kind == "broken_json":
            return self.status or 200, BROKEN_JSON
        if isinstance(self.body, (bytes, str)):
            return self.status or 200, self.body.encode() if isinstance(self.body, str) else self.body
        return self.status or 200, b"" if self.body is None else dumps(self.body)

    def retry_headers(self) -> dict[str, str]:
        return {} if self.retry_after_s is None else {"retry-after": f"{self.retry_after_s:g}"}


@dataclass(slots=True)
class Script:
    """The faults still to come, first come first served among those that fit a path."""

    pending: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault, times: int = 1) -> None:
        if fault.kind not in KINDS:
            raise ValueError(f"{fault.kind!r} is not a kind of fault; choose one of {', '.join(KINDS)}")
        self.pending.extend([fault] * times)

    def take(self, path: str) -> Fault | None:
        """The next fault for this path, removed from the script."""
        for index, fault in enumerate(self.pending):
            if path.startswith(fault.path):
                return self.pending.pop(index)
        return None
