"""Who may send. Every comparison takes the same time whatever was given, and looks at both secrets of a change.

Standard Webhooks: github.com/standard-webhooks/standard-webhooks, `spec/standard-webhooks.md` (read 2026-11).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address, ip_network

from connectors.webhook.source_settings import BODY, IDENTIFIER, SIGNATURE, TIMESTAMP, SourceSettings, standard_key
from hub.sdk.errors import Forbidden, SignatureInvalid, SignatureMissing
from hub.sdk.values import InboundRequest

MILLISECONDS = 100_000_000_000
"""A number above this is milliseconds: as seconds it would be the year 5138."""


class Guard:
    """What a request must present."""

    def __init__(self, settings: SourceSettings) -> None:
        self._settings = settings
        revealed = (one.get_secret_value().strip() for one in (settings.secret, settings.previous_secret) if one)
        self._secrets = tuple(one for one in revealed if one)
        self._networks = [ip_network(one) for one in settings.allowed_networks]
        doors: dict[str, Callable[[InboundRequest], None]] = {
            "hmac": self._signed,
            "standard_webhooks": self._standard,
            "header": self._in_header,
            "url": self._in_url,
            "basic": self._basic,
        }
        self._admit = doors.get(settings.verify)  # none for verify=network, where the address is all

    def admit(self, request: InboundRequest) -> None:
        """Raises Forbidden for a strange address, SignatureInvalid for everything else that does not fit."""
        self._admit_address(request)
        if self._admit is not None:
            self._admit(request)

    def _admit_address(self, request: InboundRequest) -> None:
        if not self._networks:
            return
        try:
            address = ip_address(request.remote_addr)
        except ValueError:
            raise Forbidden("The sender's address is unknown, and this source takes named networks only.") from None
        if not any(address in network for network in self._networks):
            raise Forbidden(f"The address {request.remote_addr} is not in allowed_networks of this source.")

    # ── signatures ───────────────────────────────────────────────────────────────────────────────────────────────

    def _signed(self, request: InboundRequest) -> None:
        settings = self._settings
        signatures, timestamp = _parts(_header(request, settings.signature_header), settings.signature_format)
        if settings.timestamp_header:
            timestamp = _header(request, settings.timestamp_header)
        if TIMESTAMP in settings.signed_content:
            self._admit_time(timestamp, request)
        identifier = _header(request, settings.message_id_header) if IDENTIFIER in settings.signed_content else ""
        given = [decoded for one in signatures if (decoded := _decoded(one, settings.signature_encoding))]
        # A compressed body may have been signed before or after it was compressed.
        bodies = dict.fromkeys((request.body, request.raw_body))
        contents = [_filled(settings.signed_content, body, timestamp, identifier) for body in bodies]
        keys = [secret.encode() for secret in self._secrets]
        _match_digest(given, contents, keys, settings.signature_algorithm)

    def _standard(self, request: InboundRequest) -> None:
        prefix = self._settings.header_prefix
        identifier, timestamp, header = (
            _header(request, f"{prefix}-{name}") for name in ("id", "timestamp", "signature")
        )
        self._admit_time(timestamp, request)
        given = [_decoded(one.removeprefix("v1,"), "base64") for one in header.split() if one.startswith("v1,")]
        content = b".".join([identifier.encode(), timestamp.encode(), request.body])
        _match_digest([one for one in given if one], [content], [standard_key(one) for one in self._secrets], "sha256")

    def _admit_time(self, text: str, request: InboundRequest) -> None:
        """The clock is that of acceptance, so that the same request is always judged alike."""
        sent_at = _time(text)
        if sent_at is None:
            raise SignatureInvalid("The time of the request is missing or cannot be read.")
        if abs((request.received_at - sent_at).total_seconds()) > self._settings.tolerance_s:
            raise SignatureInvalid(
                f"The request was signed more than {self._settings.tolerance_s} seconds before or after it came; it may be "
                "a replay, or a clock is wrong."
            )

    # ── shared secrets ───────────────────────────────────────────────────────────────────────────────────────────

    def _in_header(self, request: InboundRequest) -> None:
        given = _header(request, self._settings.secret_header)
        scheme, _, token = given.partition(" ")
        known = [given, token.strip()] if scheme.lower() == "bearer" else [given]
        _match_text(known, self._secrets, f"header {self._settings.secret_header}")

    def _in_url(self, request: InboundRequest) -> None:
        parameter = self._settings.url_parameter
        given = request.query.get(parameter, "")
        if not given:
            raise SignatureMissing(f"The URL has no {parameter}; add ?{parameter}= and the secret to it.")
        _match_text([given], self._secrets, "secret in the URL")

    def _basic(self, request: InboundRequest) -> None:
        scheme, _, credentials = _header(request, "Authorization").partition(" ")
        try:
            decoded = base64.b64decode(credentials.strip(), validate=True).decode() if scheme.lower() == "basic" else ""
        except (binascii.Error, ValueError):
            decoded = ""
        user, _, password = decoded.partition(":")
        is_known = hmac.compare_digest(user.encode(), self._settings.username.encode())
        _match_text([password if is_known else ""], self._secrets, "user name or password")


def _header(request: InboundRequest, name: str) -> str:
    value = request.headers.get(name.lower(), "").strip()
    if not value:
        raise SignatureMissing(f"The header {name} is missing.")
    return value


def _parts(header: str, template: str) -> tuple[list[str], str]:
    """The signatures of a header, of which a sender may write several while it changes its secret, and its time."""
    known = [(part.removesuffix(SIGNATURE), True) for part in template.split(",") if part.endswith(SIGNATURE)]
    known += [(part.removesuffix(TIMESTAMP), False) for part in template.split(",") if part.endswith(TIMESTAMP)]
    signatures, timestamp = [], ""
    for part in header.split(","):
        for prefix, is_signature in known:
            if not part.strip().startswith(prefix.strip()):
                continue
            value = part.strip().removeprefix(prefix.strip())
            if is_signature:
                signatures.append(value)
            else:
                timestamp = value
            break
    return signatures, timestamp


def _filled(template: str, body: bytes, timestamp: str, identifier: str) -> bytes:
    """What was signed. The body goes in last, so that nothing inside it is taken for a placeholder."""
    before, _, after = (
        template.replace(TIMESTAMP, timestamp.replace("{", "")).replace(IDENTIFIER, identifier.replace("{", ""))
    ).partition(BODY)
    return before.encode() + body + after.encode()


def _decoded(text: str, encoding: str) -> bytes:
    """A signature as bytes; nothing for what is none."""
    try:
        return bytes.fromhex(text) if encoding == "hex" else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _match_digest(given: Sequence[bytes], contents: Sequence[bytes], keys: Sequence[bytes], algorithm: str) -> None:
    found = False
    for key in keys:
        for content in contents:
            wanted = hmac.digest(key, content, algorithm)
            for one in given:
                found |= hmac.compare_digest(one, wanted)
    if not found:
        raise SignatureInvalid


def _match_text(given: Sequence[str], known: Iterable[str], what: str) -> None:
    found = False
    for secret in known:
        for one in given:
            found |= hmac.compare_digest(one.encode("utf-8", "replace"), secret.encode())
    if not found:
        raise SignatureInvalid(f"The {what} is not that of this source.")


def _time(text: str) -> datetime | None:
    """Epoch seconds or milliseconds, ISO 8601, or an HTTP date; None for anything else."""
    try:
        if text.isascii() and text.replace(".", "", 1).isdigit():
            number = float(text)
            return datetime.fromtimestamp(number / 1000 if number > MILLISECONDS else number, UTC)
        at = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
    except (ValueError, OverflowError, OSError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
