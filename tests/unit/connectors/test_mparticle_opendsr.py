"""mParticle's OpenDSR door: what is receipted, what can be asked and withdrawn, and what is signed."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from connectors.mparticle.connector import MParticle
from hub.sdk.declared import build
from hub.sdk.errors import Busy, ConfigurationError, PayloadInvalid, SignatureInvalid
from hub.sdk.json import dumps, loads
from hub.sdk.values import Erasure, ErasureStatus, Question, Received
from tests.unit.mapping.mparticle_samples import AT, FOLDER, request, source

ID = "b2db5a4a-5db5-4221-abc8-651b51ac4d9d"
RAW = {"email": {"value": "ada@example.com", "encoding": "raw"}}
ASKED = {"subject_request_id": ID, "subject_request_type": "erasure", "subject_identities": RAW}
DOMAIN = "hub.example.com"


def received(more: dict[str, Any] | None = None, path: str = "/opendsr/requests", **settings: Any) -> Received:
    return source(opendsr_domain=DOMAIN, **settings).receive(request(dumps({**ASKED, **(more or {})}), path))


def told(status: ErasureStatus, *, was_withdrawn: bool = False) -> Erasure:
    return Erasure(ID, status, AT, AT + timedelta(days=30), AT, was_withdrawn)


# ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_is_received_with_a_receipt_and_followed_under_its_id() -> None:
    body = (FOLDER / "18_opendsr_v3_erasure_request.json").read_bytes()
    found = source(opendsr_domain=DOMAIN).receive(request(body, "/opendsr/requests"))
    receipt: Any = loads(found.reply.body)
    assert found.reply.status == 201
    assert receipt["subject_request_id"] == ID
    assert receipt["received_time"] == AT.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert base64.b64decode(receipt["encoded_request"]) == body
    assert [one.dedup_key for one in found.messages] == [f"opendsr.{ID}"]
    assert found.erasure is not None
    assert found.erasure.request_id == ID
    assert found.erasure.callbacks == tuple(loads(body)["status_callback_urls"])


@pytest.mark.parametrize("path", ["/opendsr/requests", "/opendsr/v3/requests/", "//opendsr//v2/requests"])
def test_the_path_may_name_the_version_of_the_interface(path: str) -> None:
    assert received(path=path).reply.status == 201


@pytest.mark.parametrize("kind", ["access", "portability", None])
def test_other_requests_are_refused_with_what_to_do(kind: str | None) -> None:
    with pytest.raises(PayloadInvalid, match="type erasure"):
        received({"subject_request_type": kind})


@pytest.mark.parametrize("request_id", [None, "", 7, "x" * 256, "a/b"])
def test_a_request_without_a_usable_id_could_never_be_asked_after_and_is_refused(request_id: Any) -> None:
    with pytest.raises(PayloadInvalid, match="subject_request_id"):
        received({"subject_request_id": request_id})


@pytest.mark.parametrize(
    "named",
    [
        None,
        {},
        [],
        [7, {"identity_value": "ada@example.com", "identity_format": "raw"}],
        {"email": {"value": "ab" * 32, "encoding": "sha256"}},
        {"email": "ada@example.com"},
        {"email": {"value": " ", "encoding": "raw"}},
    ],
)
def test_a_request_that_names_nobody_gets_no_receipt(named: Any) -> None:
    with pytest.raises(PayloadInvalid, match="names nobody"):
        received({"subject_identities": named, "extensions": []})


def test_a_person_may_be_named_in_the_vendors_extension_alone() -> None:
    extension = {"opendsr.mparticle.com": {"subject_identities": {"mpid": {"value": "-7", "encoding": "raw"}}}}
    assert received({"subject_identities": {}, "extensions": extension}).reply.status == 201


def test_the_list_of_identities_of_earlier_versions_reads_as_the_object_of_the_third() -> None:
    listed = [{"identity_type": "email", "identity_value": "ada@example.com", "identity_format": "raw"}]
    (message,) = received({"subject_identities": listed}).messages
    assert loads(message.body)["subject_identities"] == RAW


def test_a_list_with_two_identities_of_one_type_is_refused_since_one_of_them_would_be_forgotten() -> None:
    two = [{"identity_type": "email", "identity_value": f"{one}@example.com", "identity_format": "raw"} for one in "ab"]
    with pytest.raises(PayloadInvalid, match="two identities of the type email"):
        received({"subject_identities": two})


@pytest.mark.parametrize(
    ("more", "hours"),
    [
        ({}, 24),
        ({"skip_waiting_period": True}, 0),
        ({"extensions": {"opendsr.mparticle.com": {"skip_waiting_period": True}}}, 0),
        ({"skip_waiting_period": "true"}, 24),
    ],
)
def test_a_request_waits_as_the_source_says_unless_it_skips_that(more: dict[str, Any], hours: int) -> None:
    erasure = received(more, opendsr_wait_hours=24).erasure
    assert erasure is not None
    assert erasure.wait_s == hours * 3600


# ── callbacks ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "urls",
    [
        "https://controller.example.com/x",
        ["http://controller.example.com/x"],
        ["ftp://controller.example.com/x"],
        ["https://user:secret@controller.example.com/x"],
        ["https:///x"],
        ["https://controller.example.com:99999/x"],
        ["https://controller.example.com/\u00e9"],
        ["https://controller.example.com/a b"],
        ["https://controller.example.com/" + "x" * 2_048],
        [7],
        ["https://controller.example.com/x"] * 11,
    ],
)
def test_a_callback_that_could_not_be_told_is_refused_while_the_sender_can_correct_it(urls: Any) -> None:
    with pytest.raises(PayloadInvalid, match="status_callback_urls"):
        received({"status_callback_urls": urls})


@pytest.mark.parametrize("url", ["https://other.example.com/x", "https://good.example.com.evil.example/x"])
def test_callbacks_go_to_named_origins_only_where_some_are_named(url: str) -> None:
    origins = ["https://good.example.com", "http://127.0.0.1:9"]
    for fine in ("https://good.example.com/x?y=1", "http://127.0.0.1:9/x"):
        erasure = received({"status_callback_urls": [fine, fine]}, opendsr_callback_origins=origins).erasure
        assert erasure is not None
        assert erasure.callbacks == (fine,)
    with pytest.raises(PayloadInvalid, match="opendsr_callback_origins"):
        received({"status_callback_urls": [url]}, opendsr_callback_origins=origins)


def test_a_callback_tells_the_status_and_names_its_own_url() -> None:
    url = "https://controller.example.com/opendsr/callbacks"
    call = source(opendsr_domain=DOMAIN).callback(told(ErasureStatus.COMPLETED), url)
    assert call.method == "POST"
    assert call.headers["X-OpenDSR-Processor-Domain"] == DOMAIN
    assert loads(call.body) == {
        "controller_id": DOMAIN,
        "expected_completion_time": (AT + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "subject_request_id": ID,
        "request_status": "completed",
        "status_callback_url": url,
    }


# ── status and withdrawal ────────────────────────────────────────────────────────────────────────────────────────


def test_a_question_names_the_request_and_is_answered_by_its_status() -> None:
    door = source(opendsr_domain=DOMAIN)
    asked = request(b"", f"/opendsr/v3/requests/{ID}", "GET")
    assert door.receive(asked).question == Question(ID)
    reply = door.answer(asked, told(ErasureStatus.IN_PROGRESS))
    assert (reply.status, loads(reply.body)["request_status"]) == (200, "in_progress")


def test_a_request_that_nobody_made_is_not_found() -> None:
    reply = source().receive(request(b"", "/opendsr/requests/other", "GET")).reply
    assert reply.status == 404
    assert reply.json["error"]["code"] == 404


def test_a_withdrawal_is_accepted_once_and_again_but_not_when_it_came_too_late() -> None:
    door = source(opendsr_domain=DOMAIN)
    asked = request(b"", f"/opendsr/requests/{ID}", "DELETE")
    assert door.receive(asked).question == Question(ID, withdraw=True)
    for first in (True, False):
        reply = door.answer(asked, told(ErasureStatus.CANCELLED, was_withdrawn=first))
        assert (reply.status, loads(reply.body)["subject_request_id"]) == (202, ID)
    for late in (ErasureStatus.IN_PROGRESS, ErasureStatus.COMPLETED):
        with pytest.raises(PayloadInvalid, match="only a pending one"):
            door.answer(asked, told(late))


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/opendsr/requests"), ("GET", "/opendsr/else"), ("GET", "/opendsr/requests")]
)
def test_other_paths_are_refused_in_the_words_of_opendsr(method: str, path: str) -> None:
    door = source()
    with pytest.raises(PayloadInvalid) as refused:
        door.receive(request(b"", path, method))
    reply = door.refuse(request(b"", path, method), refused.value)
    assert reply.json["error"]["errors"][0]["domain"] == "Validation"


def test_a_busy_hub_says_so_in_the_words_of_opendsr() -> None:
    reply = source().refuse(request(b"", "/opendsr/requests"), Busy())
    assert (reply.status, reply.json["error"]["code"]) == (503, 503)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "requests"), ("GET", f"requests/{ID}"), ("DELETE", f"requests/{ID}")]
)
def test_requests_need_the_sources_secret_and_discovery_does_not(method: str, path: str) -> None:
    door = source(opendsr_domain=DOMAIN)
    with pytest.raises(SignatureInvalid):
        door.receive(request(dumps(ASKED), f"/opendsr/{path}", method, headers={}))
    reply = door.receive(request(b"", "/opendsr/discovery", "GET", headers={})).reply
    assert reply.status == 200
    assert loads(reply.body)["processor_domain"] == DOMAIN
    assert loads(reply.body)["supported_subject_request_types"] == ["erasure"]


# ── signatures ───────────────────────────────────────────────────────────────────────────────────────────────────


def pem(key: Any) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def certificate_of(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DOMAIN)])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=365))
        .sign(key, SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


def signing(key: rsa.RSAPrivateKey, **more: Any) -> MParticle:
    settings = {"opendsr_domain": DOMAIN, "opendsr_certificate": certificate_of(key), **more}
    secrets = {"authorization": "Bearer example-token", "opendsr_private_key": pem(key)}
    return build(MParticle, settings, secrets)


def verify(key: rsa.RSAPrivateKey, headers: Any, body: bytes) -> None:
    """As a controller does it. Raises InvalidSignature."""
    signature = base64.b64decode(headers["X-OpenDSR-Signature"])
    key.public_key().verify(signature, body, padding.PKCS1v15(), SHA256())


def test_receipts_statuses_withdrawals_discovery_and_callbacks_are_signed_over_their_very_bytes(key: Any) -> None:
    door = signing(key)
    ask, withdraw = (request(b"", f"/opendsr/requests/{ID}", method) for method in ("GET", "DELETE"))
    answers = [
        door.receive(request(dumps(ASKED), "/opendsr/requests")).reply,
        door.answer(ask, told(ErasureStatus.PENDING)),
        door.answer(withdraw, told(ErasureStatus.CANCELLED, was_withdrawn=True)),
        door.receive(request(b"", "/opendsr/discovery", "GET")).reply,
        door.callback(told(ErasureStatus.COMPLETED), "https://controller.example.com/x"),
    ]
    for answer in answers:
        verify(key, answer.headers, answer.body)
        assert answer.headers["X-OpenDSR-Processor-Domain"] == DOMAIN
        assert answer.headers["Content-Type"] == "application/json"


def test_the_certificate_is_there_for_everybody_and_the_key_for_nobody(key: Any) -> None:
    door = signing(key, opendsr_certificate_url=f"https://{DOMAIN}/cert.pem")
    reply = door.receive(request(b"", "/opendsr/certificate", "GET", headers={})).reply
    assert reply.body.decode() == certificate_of(key)
    found = loads(door.receive(request(b"", "/opendsr/discovery", "GET", headers={})).reply.body)
    assert found["processor_certificate"] == f"https://{DOMAIN}/cert.pem"
    assert "PRIVATE" not in repr(door.settings)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda key: {"opendsr_private_key": "no key at all"}, "not a PEM private key"),
        (lambda key: {"opendsr_private_key": pem(ec.generate_private_key(ec.SECP256R1()))}, "another kind"),
        (lambda key: {"opendsr_private_key": pem(rsa.generate_private_key(65_537, 2048))}, "not that of"),
        (lambda key: {"opendsr_private_key": pem(key), "opendsr_domain": ""}, "set opendsr_domain"),
        (lambda key: {"opendsr_private_key": pem(key), "opendsr_certificate": "no certificate"}, "opendsr_certificate"),
    ],
)
def test_a_key_that_could_not_sign_is_refused_when_it_is_set_and_is_not_shown(key: Any, wrong: Any, why: str) -> None:
    given = {"opendsr_domain": DOMAIN, "opendsr_certificate": certificate_of(key), **wrong(key)}
    with pytest.raises(ConfigurationError, match=why) as refused:
        build(MParticle, given, {"authorization": "Bearer example-token"})
    assert "PRIVATE" not in str(refused.value)


def test_the_same_question_gets_the_same_bytes(key: Any) -> None:
    door, erasure = signing(key), told(ErasureStatus.COMPLETED)
    asked = request(b"", f"/opendsr/requests/{ID}", "GET")
    assert door.answer(asked, erasure) == door.answer(asked, replace(erasure))
