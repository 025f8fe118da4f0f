"""Where Node's packages cannot be installed, one sentence says what is needed, not npm's trace."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.harness import ROOT, free_port
from tests.node import Unmet, installed
from tests.tls import new_authority

PACKAGES = ROOT / "tests" / "e2e" / "node"


@pytest.fixture
def untrusted(tmp_path: Path) -> Iterator[str]:
    """A registry whose certificate is signed by an authority that this machine does not know."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients hang up, that is the point
    server.socket = new_authority(tmp_path / "tls").server().wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def sentence(cache: Path, registry: str) -> str:
    environment = {"npm_config_registry": registry, "npm_config_fetch_retries": "0", "SSL_CERT_FILE": ""}
    with pytest.raises(Unmet) as unmet:
        installed(PACKAGES, cache, environment)
    assert not list(cache.glob("node-*")), "half an installation"
    return str(unmet.value)


def test_a_registry_that_is_not_reached_is_named_as_the_reason(tmp_path: Path) -> None:
    assert sentence(tmp_path / "cache", f"http://127.0.0.1:{free_port()}/") == (
        "The Node tests need the packages of package-lock.json once, and npm does not reach the registry; connect this "
        "machine, or name a registry it reaches in npm_config_registry (npm: ECONNREFUSED)."
    )


def test_a_certificate_that_is_not_trusted_is_named_as_the_reason(tmp_path: Path, untrusted: str) -> None:
    told = sentence(tmp_path / "cache", untrusted)

    assert "npm does not trust the certificate of the registry; name the file with its authority in NODE_EXTRA" in told
    assert told.count("\n") == 0
