"""How a Kafka cluster is spoken to: what is the same for all clients, and why one of them reaches nobody."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

from hub.sdk.broker import TLS, Broker, servers_of
from hub.sdk.values import Basic

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

CONNECT_MS: Final = 5_000
FRESH_S: Final = 60.0  # a client repeats the same complaint after half of that
HUNG_UP: Final = "the brokers hang up without a word; they may want TLS or a login that the settings do not name"
REFUSED: Final = frozenset(
    [
        "_AUTHENTICATION",
        "CLUSTER_AUTHORIZATION_FAILED",
        "GROUP_AUTHORIZATION_FAILED",
        "ILLEGAL_SASL_STATE",
        "SASL_AUTHENTICATION_FAILED",
        "SECURITY_DISABLED",
        "TOPIC_AUTHORIZATION_FAILED",
        "UNSUPPORTED_SASL_MECHANISM",
    ]
)
"""Errors that no waiting cures: credentials, or what they permit."""
_WHEN: Final = re.compile(r" \(after \d+ms in state [^)]*\)$")


def client_config(url: str, broker: Broker, credentials: Basic | None) -> dict[str, Any]:
    """Servers, TLS and SASL, as librdkafka names them, and quick reconnection. Raises ConfigurationError for no address.

    Source: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md (read 2026-11).
    """
    has_tls = url.startswith(TLS)
    config: dict[str, Any] = {
        "bootstrap.servers": ",".join(
            [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in servers_of(url)]
        ),
        "client.id": "switchboard-hub",
        "security.protocol": ("SASL_" if broker.mechanism else "") + ("SSL" if has_tls else "PLAINTEXT"),
        "socket.connection.setup.timeout.ms": CONNECT_MS,
        "reconnect.backoff.max.ms": 1_000,  # by default a client that lost everybody comes back after ten seconds
        "log_level": 0,
    }
    if broker.mechanism and credentials is not None:
        config |= {
            "sasl.mechanism": broker.mechanism,
            "sasl.username": credentials.user.reveal(),
            "sasl.password": credentials.password.reveal(),
        }
    return config | (_tls(broker) if has_tls else {})


def _tls(broker: Broker) -> dict[str, Any]:
    import certifi

    config: dict[str, Any] = {"ssl.ca.pem": broker.ca} if broker.ca else {"ssl.ca.location": certifi.where()}
    if broker.certificate and broker.key is not None:
        config |= {"ssl.certificate.pem": broker.certificate, "ssl.key.pem": broker.key.reveal()}
    return config


class Complaints:
    """Why a client reaches nobody. It complains in the background; a question put to it just gets no answer."""

    def __init__(self) -> None:
        self._last = ("", "", 0.0)
        self.is_down = False
        """Whether no broker was left, since the last `calm`."""

    def heard(self, error: KafkaError) -> None:
        """The client's `error_cb`. What it says of credentials stands, whatever follows."""
        name = error.name()
        if name == "_ALL_BROKERS_DOWN":
            self.is_down = True
        elif name in REFUSED or self._fresh()[0] not in REFUSED:
            self._last = (name, _WHEN.sub("", error.str()), time.monotonic())

    def calm(self) -> None:
        """Somebody was reached."""
        self._last, self.is_down = ("", "", 0.0), False

    def behind(self, error: KafkaError) -> tuple[str, str]:
        """The name and the words of what lies behind an error; those of the error itself where nothing is known."""
        name, words = self._fresh()
        if name and error.name() not in REFUSED:
            return name, words
        return error.name(), HUNG_UP if self.is_down else error.str()

    def trouble(self) -> str:
        """Why nobody was reached since this was asked last; empty if somebody may have been."""
        name, words = self._fresh()
        if not self.is_down and name not in REFUSED:
            return ""
        self.is_down = False
        return words or HUNG_UP

    def _fresh(self) -> tuple[str, str]:
        name, words, at = self._last
        return (name, words) if time.monotonic() - at < FRESH_S else ("", "")
