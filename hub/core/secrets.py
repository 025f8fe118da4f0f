"""Encryption of stored secrets, and the key that makes tombstones and API-key hashes."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import tempfile
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
    """The key in the data directory, mode 0600; made on first use, by whichever process comes first."""
    path = folder / KEY_FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write_key(path)
    key = path.read_text().strip()
    if not key:
        raise ConfigurationError(
            f"The key file {path} is empty; restore it from a backup, or remove it if no secret is stored yet."
        )
    return key


def _write_key(path: Path) -> None:
    """Whole or not at all: the name appears by a link, which fails if another process was faster."""
    handle, draft = tempfile.mkstemp(prefix=f".{KEY_FILE}.", dir=path.parent)  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(Fernet.generate_key().decode())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # Secrets sealed under a key whose name a power cut could still take away would be lost for good.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
