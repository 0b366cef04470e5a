"""What an operator asks of plugins from elsewhere, and what one of them has to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from corehost.contract.manifest import Manifest
from corehost.plugins.signing.keys import PublicKey

Needs = Literal["pin-or-signature", "signature"]
PIN_OR_SIGNATURE: Final = "pin-or-signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Why an archive is believed: by its pinned hash, by a trusted key whose owner is called ``signer``, or both.

    ``manifest`` is the one in the archive.
    """

    manifest: Manifest
    pin: str | None = None
    signer: str | None = None
    key: PublicKey | None = None

    @property
    def text(self) -> str:
        """The reason in words for people."""
        pinned = "Its archive has the pinned hash"
        if self.key is None or self.signer is None:
            return f"{pinned}. Nobody whom this host trusts has signed it."
        signed = f"Signed by {self.signer} with the key {self.key.id}, which this host trusts."
        return f"{signed} {pinned}." if self.pin else signed

    def to_json(self) -> dict[str, Any]:
        """Return ``text``, ``pinned``, ``signer`` and ``key`` (its id)."""
        return {
            "text": self.text,
            "pinned": self.pin is not None,
            "signer": self.signer,
            "key": None if self.key is None else self.key.id,
        }
