"""Encryption of stored secrets, and the key that makes tombstones and API-key hashes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from hub.core.settings import Settings
from hub.sdk.errors import ConfigurationError

KEY_FILE = "secret.key"


class Vault:
    """Seals and opens secrets with one key. Its repr shows nothing."""

    def __init__(self, key: str) -> None:
        digest = hashlib.sha256(b"switchboard/seal/" + key.encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(digest))
        self._hash_key = hashlib.sha256(b"switchboard/hash/" + key.encode()).digest()

    def seal(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Raises ConfigurationError if the secret was sealed under another key."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise ConfigurationError(
                "A stored secret cannot be opened with this HUB_SECRET_KEY; set the key it was stored with."
            ) from error

    def digest(self, text: str) -> str:
        """A keyed hash: equal for equal text, and of no use to someone who has only the database."""
        return hmac.new(self._hash_key, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def open_vault(settings: Settings) -> Vault:
    """The vault of this installation; generates its key on first use when none is set."""
    given = settings.secret_key.get_secret_value()
    return Vault(given or _generated_key(settings.data_dir))


def _generated_key(folder: Path) -> str:
    path = folder / KEY_FILE
    folder.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(handle, "w") as file:
        file.write(Fernet.generate_key().decode())
        file.flush()
        os.fsync(file.fileno())
    return path.read_text().strip()
