"""Signed answers and callbacks of OpenDSR: base64 of an RSA signature over the SHA-256 of the very bytes of the body."""

from __future__ import annotations

import base64
from typing import Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates

DOMAIN: Final = "X-OpenDSR-Processor-Domain"
SIGNATURE: Final = "X-OpenDSR-Signature"


def private_key(pem: str) -> RSAPrivateKey:
    """Raises ValueError for anything but an RSA key that needs no passphrase."""
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError) as error:
        raise ValueError("this is not a PEM private key without a passphrase") from error
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("OpenDSR signs with RSA; this is a key of another kind")  # noqa: TRY004 - as pydantic wants it
    return key


def belongs(key: RSAPrivateKey, chain: str) -> bool:
    """Whether the first certificate of a PEM chain is this key's. Raises ValueError if there is none."""
    try:
        first = load_pem_x509_certificates(chain.encode())[0]
    except ValueError as error:
        raise ValueError("opendsr_certificate is not a PEM certificate") from error
    return first.public_key() == key.public_key()


class Signer:
    """Headers of what the hub says as a processor; without a key they name the domain only."""

    def __init__(self, domain: str, pem: str) -> None:
        self._domain = domain
        self._key = private_key(pem) if pem else None

    def headers(self, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self._domain:
            headers[DOMAIN] = self._domain
        if self._key is not None:
            headers[SIGNATURE] = base64.b64encode(self._key.sign(body, PKCS1v15(), SHA256())).decode()
        return headers
