"""Who may send: Authorization header, secret in the URL, HTTP Basic, networks. mParticle signs nothing."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from pydantic import SecretStr

from connectors.mparticle.settings import MParticleSettings
from hub.sdk.errors import Forbidden, SignatureMissing
from hub.sdk.values import InboundRequest


class Guard:
    """What a request must present. Missing credentials are 401, wrong ones 403 (developers/server/http)."""

    def __init__(self, settings: MParticleSettings) -> None:
        self._headers = _known(settings.authorization, settings.previous_authorization)
        self._in_url = _known(settings.url_secret, settings.previous_url_secret)
        self._key = settings.api_key.strip()
        self._passwords = _known(settings.api_secret, settings.previous_api_secret)
        self._networks = [ip_network(one) for one in settings.allowed_networks]

    def admit_webhook(self, request: InboundRequest) -> None:
        """Webhook output, Firehose and OpenDSR. Raises SignatureMissing or Forbidden."""
        self._admit_address(request)
        if not self._headers and not self._in_url:
            raise Forbidden(
                "This source has no secret for webhooks; set authorization or url_secret here and in mParticle's output."
            )
        given = request.headers.get("authorization", "").strip()
        if self._headers:
            _match(given, self._headers, "Authorization header")
        if self._in_url:
            _match(request.query.get("secret", ""), self._in_url, "secret in the URL")

    def admit_client(self, request: InboundRequest) -> None:
        """Clients of the Events API. Raises SignatureMissing or Forbidden."""
        self._admit_address(request)
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            raise SignatureMissing(
                "The Authorization header is missing; sign in by HTTP Basic with api_key and api_secret."
            )
        key, _, password = _decoded(credentials).partition(":")
        if not self._key or not hmac.compare_digest(key.encode(), self._key.encode()):
            raise Forbidden("The API key is not that of this source.")
        _match(password, self._passwords, "API secret")

    def _admit_address(self, request: InboundRequest) -> None:
        if not self._networks:
            return
        try:
            address = ip_address(request.remote_addr)
        except ValueError:
            raise Forbidden("The sender's address is unknown, and this source takes named networks only.") from None
        if not any(address in network for network in self._networks):
            raise Forbidden(f"The address {request.remote_addr} is not in allowed_networks of this source.")


def _match(given: str, known: Iterable[bytes], what: str) -> None:
    """Every known value is compared, each in constant time."""
    if not given:
        raise SignatureMissing(f"The {what} is missing.")
    presented, found = given.encode("utf-8", "replace"), False
    for value in known:
        found |= hmac.compare_digest(presented, value)
    if not found:
        raise Forbidden(f"The {what} is not that of this source.")


def _known(*secrets: SecretStr | None) -> tuple[bytes, ...]:
    """Those that are set; an empty one would let everybody in."""
    revealed = (one.get_secret_value().strip() for one in secrets if one is not None)
    return tuple(value.encode() for value in revealed if value)


def _decoded(credentials: str) -> str:
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
