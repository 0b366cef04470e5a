"""Keep the archives of external plugins, and unpack what is to be run anew each time, after a look at its proof."""

from __future__ import annotations

import hashlib
from pathlib import Path

from corehost.contract.errors import InvalidError, NotAllowedError, NotFoundError
from corehost.plugins.archives import unpack
from corehost.plugins.external import NOT_ALLOWED, Fetcher, pin_of
from corehost.plugins.signing.proof import Proof
from corehost.plugins.signing.proofs import Proofs
from corehost.plugins.sources import Origin


class ExternalFolder:
    """Where archives and code of external plugins lie.

    What is trusted is the pin in a plugin's address and the signature in its archive, not what lies on the disk.
    """

    def __init__(self, folder: Path, fetcher: Fetcher, proofs: Proofs, *, is_allowed: bool) -> None:
        self._folder = folder
        self._fetcher = fetcher
        self._proofs = proofs
        self._is_allowed = is_allowed

    def install(self, url: str) -> Origin:
        """Fetch the plugin at *url*, unless its archive is there, and return where its code lies.

        Raises as ``fetch`` does, and ``InvalidError`` for an archive that cannot be unpacked safely.
        """
        archive = self._folder / "archives" / f"{_place_of(url)}.zip"
        if not archive.is_file():
            _keep(archive, self.fetch(url))
        data = archive.read_bytes()
        proof = self._proofs.require(data, pin_of(url), url)
        path = self._folder / "code" / archive.stem
        unpack(data, path)
        return Origin(kind="external", name=proof.manifest.id.replace("-", "_"), path=path, url=url)

    def fetch(self, url: str) -> bytes:
        """Return the archive of the plugin at *url*, if it may be believed.

        Raises ``NotAllowedError`` unless external plugins are allowed, and as ``Fetcher.fetch_archive`` and
        ``Proofs.require`` do; ``InvalidError`` for an archive that holds another plugin than its address says.
        """
        self._require_allowed(url)
        told, data = self._fetcher.fetch_archive(url)
        held = self._proofs.require(data, pin_of(url), url).manifest
        if told is not None and (held.id, held.version) != (told.id, told.version):
            text = f"The archive of {url!r} holds {held.id!r} and not {told.id!r}"
            raise InvalidError(f"{text} (versions {held.version} and {told.version}).")
        return data

    def refresh(self, origin: Origin) -> Proof:
        """Unpack the plugin again, just before it is loaded; returns why it may be believed, raises as ``require``."""
        data, proof = self._proven(origin)
        assert origin.path is not None  # what "_proven" found its archive by
        unpack(data, origin.path)
        return proof

    def require(self, origin: Origin) -> Proof:
        """Return why the plugin may be believed now.

        Raises ``NotAllowedError`` where nobody stands for it any more, ``InvalidError`` if its archive was changed,
        ``NotFoundError`` if that is gone.
        """
        return self._proven(origin)[1]

    def _proven(self, origin: Origin) -> tuple[bytes, Proof]:
        url = str(origin.url)
        self._require_allowed(url)
        archive = self._archive(origin)
        if archive is None or not archive.is_file():
            raise NotFoundError(f"The archive of {url!r} is gone. {_WAY_OUT[origin.managed]}")
        data = archive.read_bytes()
        return data, self._proofs.require(data, pin_of(url), url)

    def _require_allowed(self, url: str) -> None:
        if not self._is_allowed:
            raise NotAllowedError(f"{url!r} is {NOT_ALLOWED.rstrip('.')} (--allow-external).")

    def _archive(self, origin: Origin) -> Path | None:
        if origin.path is None:
            return None
        if origin.managed:
            return archive_beside(origin.path)
        return self._folder / "archives" / f"{_place_of(str(origin.url))}.zip"


_WAY_OUT = {True: "Remove the plugin, and install it again.", False: "Restart the host to fetch it again."}


def archive_beside(code: Path) -> Path:
    """Return where the archive is kept of which the host has installed the *code*."""
    return code.with_name(f"{code.name}.zip")


def _place_of(url: str) -> str:
    """Return the name of what is kept of *url*: its pin, else what names the address."""
    return pin_of(url) or f"at-{hashlib.sha256(url.encode()).hexdigest()}"


def _keep(archive: Path, data: bytes) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_suffix(".part")
    partial.write_bytes(data)
    partial.replace(archive)
