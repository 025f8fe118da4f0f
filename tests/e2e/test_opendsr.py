"""A privacy tool and a running hub: a signed receipt, status, callbacks, through the death of the roles that work on it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from tests.controller import Controller, controller
from tests.harness import RunningHub, eventually

TOKEN = "Bearer example-token"
ID = "5d3c9a1e-4f0b-4a6e-8a53-2f1c7b9d0e44"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@pytest.fixture
def hears() -> Iterator[Controller]:
    with controller() as found:
        yield found


def verified(key: rsa.RSAPrivateKey, headers: Any, body: bytes) -> Any:
    """What was signed; raises InvalidSignature for anything else."""
    signature = base64.b64decode(headers["x-opendsr-signature"])
    key.public_key().verify(signature, body, padding.PKCS1v15(), SHA256())
    return json.loads(body)


def test_a_request_is_followed_to_its_end_though_every_role_dies_on_the_way(
    tmp_path: Path, database_url: str, key: rsa.RSAPrivateKey, hears: Controller
) -> None:
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    given = {
        "authorization": TOKEN,
        "opendsr_domain": "hub.example.com",
        "opendsr_private_key": pem,
        "opendsr_callback_origins": json.dumps([hears.origin]),
    }
    with RunningHub(tmp_path / "hub", database_url) as hub:
        pairs = [part for name, value in given.items() for part in ("--set", f"{name}={value}")]
        source = hub.cli("sources", "add", "mparticle", "--name", "app", *pairs, "--json")
        door, headers = f"{source['webhook_url']}/opendsr/v3/requests", {"Authorization": TOKEN}
        profile = {
            "user_identities": [{"identity_type": "customer_id", "identity": "ada"}],
            "user_attributes": {"$FirstName": "Ada"},
            "message_id": "m-1",
        }
        assert requests.post(source["webhook_url"], json=profile, headers=headers, timeout=10).status_code == 202
        hub.drained()
        assert hub.cli("profiles", "show", "ada", "--json")["traits"]["first_name"] == "Ada"

        hub.kill_supervisor()
        hub.start()
        body = {
            "regulation": "gdpr",
            "subject_request_id": ID,
            "subject_request_type": "erasure",
            "subject_identities": {"controller_customer_id": {"value": "ada", "encoding": "raw"}},
            "status_callback_urls": [hears.url],
        }
        hears.failing = 1
        answer = requests.post(door, json=body, headers=headers, timeout=10)
        assert answer.status_code == 201
        assert verified(key, answer.headers, answer.content)["subject_request_id"] == ID
        hub.kill_supervisor()
        hub.start()

        def status() -> str:
            reply = requests.get(f"{door}/{ID}", headers=headers, timeout=10)
            return str(verified(key, reply.headers, reply.content)["request_status"])

        eventually(lambda: status() == "completed", what="the erasure")
        eventually(lambda: hears.calls, what="the callback")
        _, told, sent = hears.calls[-1]
        assert verified(key, told, sent)["request_status"] == "completed"
        assert hub.cli("profiles", "show", "ada", fails=True).returncode == 1
        assert [row["status"] for row in hub.cli("erasures", "list", "--json")] == ["completed"]
        assert pem.splitlines()[1] not in hub.log.read_text()
        hub.balanced()
