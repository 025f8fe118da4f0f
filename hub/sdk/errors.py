"""Every error a connector or a room may raise: the type says what happens next.

HubError
├── ConfigurationError          start-up or connection set-up; never retried
│   └── MappingInvalid
├── InboundError                a webhook that is not taken as it came
│   ├── SignatureInvalid        -> 401; SignatureMissing where there is none
│   ├── Forbidden               -> 403
│   ├── PayloadInvalid          -> 400
│   │   └── MethodNotAllowed    -> 405 with Allow
│   ├── TooLarge                -> 413
│   └── Busy                    -> 503 with Retry-After
│       └── Overloaded          -> the same, or 429 where a source's clients slow down by it
└── DeliveryError               a whole call to a vendor
    ├── Retryable               back off with jitter, same deliveries
    │   ├── Unreadable          an answer that is not what the vendor's API speaks
    │   └── RateLimited         wait as told; uses no attempt
    ├── AuthFailed              pause and tell the operator once
    ├── Split                   halve the batch until the culprit stands alone
    └── Permanent               dead letter with the vendor's words

If no message is given, the class docstring is the message. The answer to a call stands here too: an error of the call
carries it, and reading it may be one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.sdk.words import Json


class HubError(Exception):
    """Something went wrong in the hub; the sync log holds the details."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class ConfigurationError(HubError):
    """A setting or a connection is not usable; correct it and start again."""


class MappingInvalid(ConfigurationError):
    """A mapping file is not valid; `hub mappings check` names the line."""


class InboundError(HubError):
    """The webhook was not taken."""

    status = 400
    key = "payload_invalid"  # the reason it is counted under, and the `key` of the JSON answer


class SignatureInvalid(InboundError):
    """The signature does not match any secret of this source; compare the shared secret on both sides."""

    status = 401
    key = "signature_invalid"


class SignatureMissing(SignatureInvalid):
    """The request carries no signature or secret; enter this source's secret at the sender."""

    key = "signature_missing"


class Forbidden(InboundError):
    """This source may not send here; check the write key or the allowed addresses."""

    status = 403
    key = "forbidden"


class PayloadInvalid(InboundError):
    """The body cannot be read; nothing of it was kept."""


class MethodNotAllowed(PayloadInvalid):
    """Messages are sent to this URL by POST."""

    status = 405
    key = "method_not_allowed"

    def __init__(self, message: str | None = None, *, allow: Sequence[str] = ("POST",)) -> None:
        super().__init__(message)
        self.allow = allow


class TooLarge(InboundError):
    """The body is larger than this hub accepts; see HUB_BODY_LIMIT."""

    status = 413
    key = "too_large"


class Busy(InboundError):
    """The hub cannot store the message at this moment; send it again later."""

    status = 503
    key = "busy"

    def __init__(self, message: str | None = None, retry_after_s: int = 5) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(Busy):
    """More messages wait than this hub takes (HUB_INBOX_LIMIT); send it again when some are applied."""

    key = "overloaded"


@dataclass(frozen=True, slots=True)
class Response:
    """A vendor's answer. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime

    def json(self) -> Json:
        """The body as JSON, made storable: no NUL and no half of a surrogate pair. Raises Unreadable if it is not JSON."""
        from hub.sdk.json import loads_storable

        try:
            return loads_storable(self.body)
        except ValueError as error:
            unknown = self.status < 300  # the vendor may have done what it was asked (contract rule 6)
            raise Unreadable(
                "The answer is not JSON; it is tried again later.", response=self, unknown=unknown
            ) from error


class DeliveryError(HubError):
    """The call to the vendor did not succeed."""

    response: Response | None = None

    def __init__(self, message: str | None = None, *, response: Response | None = None) -> None:
        super().__init__(message)
        self.response = response


class Retryable(DeliveryError):
    """The vendor could not answer now; the same deliveries are tried again later.

    `unknown` is True where the vendor may have acted before the call failed (contract rule 6).
    """

    def __init__(self, message: str | None = None, *, response: Response | None = None, unknown: bool = False) -> None:
        super().__init__(message, response=response)
        self.unknown = unknown


class Unreadable(Retryable):
    """The answer is not what the vendor's API speaks (a proxy page, broken JSON); it is tried again later."""


class RateLimited(Retryable):
    """The vendor asked to slow down; deliveries wait until the time it named."""

    def __init__(
        self,
        message: str | None = None,
        *,
        until: datetime | None = None,
        pools: tuple[str, ...] = (),
        response: Response | None = None,
    ) -> None:
        super().__init__(message, response=response)
        self.until = until
        self.pools = pools


class AuthFailed(DeliveryError):
    """The vendor refused the credentials; correct them, then resume the connection or the route."""


class Split(DeliveryError):
    """The batch is too large or hides one bad record; it is halved until the culprit stands alone."""


class Permanent(DeliveryError):
    """The vendor refused the call for good; its deliveries are dead letters."""
