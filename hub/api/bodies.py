"""The shapes of request bodies. Strict: a number is not text, and an unknown field is an error, not a silence."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, Strict

from hub.admin.filters import NAMES, Asked
from hub.core import clock
from hub.core.filters import read_moment

Name = Annotated[str, Field(min_length=1, max_length=100)]
Key = Annotated[str, Field(min_length=1, max_length=255)]
Word = Annotated[str, Field(max_length=100)]
CENTURY_S = 100 * 366 * 86_400


class Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


Setting = str | int | float | bool | None | list[Any] | dict[str, Any]
Patch = Annotated[str, Field(max_length=262_144)]


class ConnectionBody(Body):
    """A source or a destination to add. `settings` holds texts; numbers and booleans are taken as their text. It follows
    its connector's own mapping, unless `mapping` names another; `mapping_patch` is YAML over it."""

    connector: Name
    name: Name
    settings: dict[str, Setting] = Field(default_factory=dict)
    mapping: Word = ""
    mapping_patch: Patch = ""


class SettingsBody(Body):
    """What to change: settings, of which an empty text takes one away, the mapping, or the patch over it."""

    settings: Annotated[dict[str, Setting] | None, Field(min_length=1)] = None
    mapping: Word | None = None
    mapping_patch: Patch | None = None


class RotateBody(Body):
    """Which secret to make anew (the first, if none is named), and how long the old one is taken too."""

    secret: Word | None = None
    keep_s: Annotated[int, Field(ge=0, le=CENTURY_S)] = 7 * 86_400


class PauseBody(Body):
    reason: Annotated[str, Field(max_length=500)] = ""


class CampaignBody(Body):
    """A campaign to add. `value` and `balance` are handed on with each code and never read."""

    name: Name
    kind: Literal["generated", "imported"] = "generated"
    pattern: Word = ""
    charset: Annotated[str, Field(max_length=200)] = ""
    length: Annotated[int, Field(ge=1, le=100)] = 8
    prefix: Word = ""
    postfix: Word = ""
    value: Any = None
    balance: Any = None
    expires_at: Annotated[AwareDatetime | None, Strict(strict=False)] = None
    valid_s: Annotated[int | None, Field(ge=1, le=CENTURY_S)] = None
    is_once: bool = True
    expected: Annotated[int, Field(ge=0, le=10**12)] = 0


class ChosenCodesBody(Body):
    codes: list[str] = Field(min_length=1, max_length=100_000)


class CodesBody(ChosenCodesBody):
    """`max_bad`: refuse them all once more than this share cannot be codes, in percent."""

    max_bad: Annotated[int | None, Field(ge=0, le=100)] = None


class RemovedCodesBody(Body):
    """Free codes; null means every free one."""

    codes: Annotated[list[str], Field(min_length=1, max_length=100_000)] | None


class RunBody(Body):
    """A run by hand; the same `key` never runs twice."""

    key: Annotated[str, Field(min_length=1, max_length=80)] | None = None


def _moment(value: Any) -> Any:
    return read_moment(value, clock.now()) if isinstance(value, str) else value


Moment = Annotated[int, BeforeValidator(_moment)]
"""A time: ISO 8601, or as `2h`, `1d`, `yesterday`."""


class FiltersBody(Body):
    """Which records: those with these ids (or their beginnings), and every filter that is set."""

    ids: Annotated[list[Key], Field(max_length=1_000)] = Field(default_factory=list)
    connection: Key | None = None
    reason: Word | None = None
    source_id: Key | None = None
    text: Word | None = None
    since: Moment | None = None
    until: Moment | None = None

    def asked(self) -> Asked:
        """The same as the query strings of lists have it."""
        return Asked(**{name: getattr(self, name, None) for name in NAMES})


class ReplayBody(FiltersBody):
    """Which deliveries to send again, and how."""

    status: Literal["dead", "sent"] = "dead"
    operation: Literal["profiles", "events", "messages", "audience", "consent", "erase"] | None = None
    distribution: Key | None = None
    per_s: Annotated[float | None, Field(ge=0.001, le=100_000, allow_inf_nan=False)] = None
    quiet: bool = False
    force: bool = False
    dry_run: bool = False


class MessagesBody(FiltersBody):
    """Which messages. `warned`: only those of which something was left out or altered."""

    warned: bool = False
    dry_run: bool = False


class ReplayMessagesBody(MessagesBody):
    status: Literal["quarantined", "applied", "ignored"] | None = None


class DismissBody(MessagesBody):
    """Quarantined messages to let go of, and why, in words that name no person."""

    because: Annotated[str, Field(min_length=1, max_length=500)]


class PreviewBody(Body):
    """A stored message, and the destination to preview; without one, all that have a sync."""

    id: Annotated[str, Field(min_length=1, max_length=1_000)]
    connection: Key | None = None
    destination: Key | None = None
