"""Settings that a connection has whatever its connector: they are the hub's own, columns of its row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hub.mapping.values.coerce_number import currency_code
from hub.registry.values import Connection
from hub.sdk.errors import ConfigurationError

DEFAULT_CURRENCY = "USD"
_WORDS = {"true": True, "false": False, "": False}


def split(role: str, given: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Any]]:
    """The settings for the connector, and the hub's own as columns. Raises ConfigurationError."""
    own = {name: read(given[name].strip()) for name, read in _OWN[role].items() if name in given}
    return {name: value for name, value in given.items() if name not in own}, own


def own_settings(connection: Connection) -> dict[str, Any]:
    """Those of a connection, as they are shown."""
    return {name: getattr(connection, name) for name in _OWN[connection.role]}


def _currency(text: str) -> str:
    code = currency_code(text or DEFAULT_CURRENCY)
    if code is None:
        raise ConfigurationError(f"currency: there is no {text!r} in ISO 4217; write it as EUR.")
    return code


def _retry_unknown(text: str) -> bool:
    if text.lower() not in _WORDS:
        raise ConfigurationError(f"retry_unknown: {text!r} is neither true nor false.")
    return _WORDS[text.lower()]


_OWN: Mapping[str, Mapping[str, Callable[[str], Any]]] = {
    "source": {"currency": _currency},  # of amounts that name none
    "destination": {"retry_unknown": _retry_unknown},  # send again what may have arrived, though it may count twice
}
