"""The two halves of a key: the private one signs, by the public one that is seen (Ed25519, RFC 8032)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from corehost.contract.errors import ConflictError, InvalidError, NotFoundError

_KIND: Final = "ed25519"
_TEXT: Final = re.compile(rf"{_KIND}:[A-Za-z0-9+/]{{43}}=")
_MOST: Final = 10_000
"""The most bytes of a file that holds a key."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The half that may be known to all: 32 bytes, written ``ed25519:<base64>``."""

    raw: bytes

    def __str__(self) -> str:
        return f"{_KIND}:{base64.b64encode(self.raw).decode()}"

    @property
    def id(self) -> str:
        """A short name for people, 16 hex digits; what is compared is the whole key."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Tell whether *signature* was made by this key's other half, over exactly *data*."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True


class PrivateKey:
    """The half that signs."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @property
    def public(self) -> PublicKey:
        """The other half."""
        return PublicKey(self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, data: bytes) -> bytes:
        """Return the signature of *data*, 64 bytes."""
        return self._key.sign(data)


def read_public(text: str) -> PublicKey:
    """Read ``ed25519:<base64>``; raises ``InvalidError``."""
    text = text.strip()
    try:
        raw = base64.b64decode(text.partition(":")[2], validate=True) if _TEXT.fullmatch(text) else b""
    except binascii.Error:
        raw = b""
    key = PublicKey(raw)
    if len(raw) != 32 or str(key) != text:  # base64 has several texts for some bytes, a key has one
        raise InvalidError(f"{text[:80]!r} is no public key such as 'ed25519:<44 characters>'.")
    return key


def new_private(file: Path) -> PrivateKey:
    """Make a key and keep it in the new *file* (PKCS #8, PEM), which only its owner can read.

    Raises ``ConflictError`` if there is something, ``InvalidError`` if it cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        # With the mode at once: at no moment can another user read it.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        text_of_it = (
            f"There is something at {file} already. A key that is lost cannot be made again: name another file."
        )
        raise ConflictError(text_of_it) from None
    except OSError as error:
        raise InvalidError(f"The key cannot be written to {file}: {error.strerror}.") from error
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    return PrivateKey(key)


def read_private(file: Path) -> PrivateKey:
    """Read what ``new_private`` has written; raises ``NotFoundError``, ``InvalidError``."""
    try:
        with file.open("rb") as stream:
            key = load_pem_private_key(stream.read(_MOST), password=None)
    except FileNotFoundError:
        raise NotFoundError(f"There is no key at {file}. Make one with 'corehost key new {file}'.") from None
    except OSError as error:
        raise InvalidError(f"The key at {file} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidError(f"{file} holds no private key in PEM without a password.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidError(f"{file} holds a key of another kind. Make an Ed25519 one with 'corehost key new'.")
    return PrivateKey(key)
