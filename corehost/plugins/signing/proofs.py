"""Decide whether the archive of a plugin from elsewhere may be believed, and say why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from corehost.contract.errors import InvalidError, ManifestError, NotAllowedError
from corehost.contract.manifest import Manifest
from corehost.plugins.archives import read_members, require_bare
from corehost.plugins.external import require_pinned
from corehost.plugins.manifests import parse_manifest
from corehost.plugins.signing.keys import PublicKey
from corehost.plugins.signing.proof import PIN_OR_SIGNATURE, Needs, Proof
from corehost.plugins.signing.signature import SIGNATURE, Signature, hash_of, read_signature
from corehost.plugins.sources import MANIFEST


class Proofs:
    """Judges archives by what the operator asks of them; *name_of* returns what a trusted key is called."""

    def __init__(self, name_of: Callable[[PublicKey], str | None], needs: Needs = PIN_OR_SIGNATURE) -> None:
        self._name_of = name_of
        self._needs = needs

    def require(self, data: bytes, pin: str | None, what: str) -> Proof:
        """Return why the archive *data* is believed; *what* names it in errors, *pin* is its hash if that is known.

        Raises ``InvalidError`` for another hash than *pin* and for a signature that does not hold, pinned or not, and
        ``NotAllowedError`` for what nobody stands for.
        """
        if pin is not None:
            require_pinned(data, pin, what)
        signed = _held(data, what)
        name = None if signed.signature is None else self._name_of(signed.signature.key)
        if name is None and (pin is None or self._needs == "signature"):
            raise NotAllowedError(f"{what!r} {self._lack(signed.signature)}")
        key = signed.signature.key if signed.signature is not None and name is not None else None
        return Proof(manifest=signed.manifest, pin=pin, signer=name, key=key)

    def _lack(self, signature: Signature | None) -> str:
        pin = "" if self._needs == "signature" else ", or pin it: put '#sha256=' and its hash behind its address"
        if signature is None:
            return f"is not signed, and has no pin. Have it signed by a key that this host trusts{pin}."
        text = f"is signed by the key {signature.key.id}, which this host does not trust. If that is its author's"
        return f"{text}, trust it: corehost key trust {signature.key} --name NAME{pin.replace(', or', '. Or', 1)}."


def _held(data: bytes, what: str) -> Signed:
    try:
        return signature_of(data)
    except ManifestError:
        raise
    except InvalidError as error:
        text = f"{what!r} is not what its author signed, or no plugin: {error.text}"
        raise InvalidError(f"{text} Get it anew, and ask its author if that does not help.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What an archive holds: its manifest, and a signature that covers all of it, if it has one."""

    manifest: Manifest
    signature: Signature | None


def signature_of(data: bytes) -> Signed:
    """Return manifest and signature of the archive *data*, whoever made it.

    Raises ``InvalidError`` for an archive without manifest, and for one whose signature does not hold or does not cover
    exactly what is in it.
    """
    members = read_members(data)
    if MANIFEST not in members:
        raise InvalidError(f"The archive has no {MANIFEST!r} at its root.")
    manifest = parse_manifest(members[MANIFEST], MANIFEST)
    if SIGNATURE not in members:
        return Signed(manifest=manifest, signature=None)
    require_bare(data)
    signature = read_signature(members[SIGNATURE])
    signature.require_holds()
    signature.require_covers({path: hash_of(content) for path, content in members.items()})
    if (signature.plugin, signature.version) != (manifest.id, manifest.version):
        text = f"Its signature is for {signature.plugin} {signature.version}"
        raise InvalidError(f"{text}, and this is {manifest.id} {manifest.version}.")
    return Signed(manifest=manifest, signature=signature)
