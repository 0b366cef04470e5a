"""Encrypt the secrets that the host keeps."""

from __future__ import annotations

import hmac
import json
import os
import threading
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from corehost.contract.errors import SettingsError


class SecretBox:
    """Turns JSON values into text that only the holder of the key file can read.

    The key file (mode 0600) is made at the first use; without it what was sealed is lost.
    """

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file
        self._lock = threading.Lock()
        self._fernet: Fernet | None = None

    def seal(self, value: Any) -> str:
        """Return *value* encrypted and authenticated (Fernet)."""
        return self._opened().encrypt(json.dumps(value).encode()).decode()

    def unseal(self, text: str) -> Any:
        """Return what was sealed; raises ``SettingsError`` if the key is not the one it was sealed with."""
        try:
            return json.loads(self._opened().decrypt(text.encode()))
        except InvalidToken as error:
            hint = f"Put the key file {self._key_file.name!r} that belongs to this data folder back."
            raise SettingsError(f"A stored secret cannot be decrypted. {hint}") from error

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes that belong to this key and *purpose*, the same after every restart."""
        with self._lock:
            return hmac.digest(self._key(), purpose.encode(), "sha256")

    def _opened(self) -> Fernet:
        with self._lock:
            if self._fernet is None:
                self._fernet = Fernet(self._key())
            return self._fernet

    def _key(self) -> bytes:
        self._key_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            # O_EXCL with the mode at once: at no moment can another user read the key.
            descriptor = os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return self._key_file.read_bytes().strip()
        key = Fernet.generate_key()
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        return key
