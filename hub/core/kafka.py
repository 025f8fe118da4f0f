"""How a Kafka cluster is spoken to: the part of a client's configuration that is the same for all clients."""

from __future__ import annotations

from typing import Any, Final

from hub.sdk.broker import TLS, Broker, servers_of
from hub.sdk.values import Basic

CONNECT_MS: Final = 5_000


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
