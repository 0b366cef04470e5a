"""Keep the archives of external plugins, and unpack what is to be run anew each time, after a look at its hash."""

from __future__ import annotations

from pathlib import Path

from corehost.contract.errors import InvalidError, NotFoundError
from corehost.plugins.archives import unpack
from corehost.plugins.external import Fetcher, pin_of, require_pinned
from corehost.plugins.manifests import read_manifest
from corehost.plugins.sources import MANIFEST, Origin


class ExternalFolder:
    """Where archives and code of external plugins lie; what is trusted is the pin in a plugin's address."""

    def __init__(self, folder: Path, fetcher: Fetcher) -> None:
        self._folder = folder
        self._fetcher = fetcher

    def install(self, url: str) -> Origin:
        """Fetch the plugin at *url*, unless its archive is there, and return where its code lies.

        Raises as ``Fetcher.fetch_archive`` does, and ``InvalidError`` for an archive that cannot be unpacked safely or
        holds another plugin.
        """
        pin = pin_of(url)
        archive = self._archive(pin)
        if archive is None or not archive.is_file():
            manifest, data = self._fetcher.fetch_archive(url)
            archive = self._keep(str(pin), data)
            name = manifest.id
        else:
            name = ""
        return self._placed(url, archive, str(pin), name)

    def refresh(self, origin: Origin) -> None:
        """Unpack the plugin again, just before it is loaded; raises ``InvalidError`` if its archive was changed."""
        archive = self._archive(pin_of(str(origin.url)))
        if archive is None or not archive.is_file() or origin.path is None:
            raise NotFoundError(f"The archive of {origin.url!r} is gone. Restart the host to fetch it again.")
        data = archive.read_bytes()
        require_pinned(data, str(pin_of(str(origin.url))), archive.name)
        unpack(data, origin.path)

    def _placed(self, url: str, archive: Path, pin: str, expected: str) -> Origin:
        data = archive.read_bytes()
        require_pinned(data, pin, archive.name)
        path = self._folder / "code" / pin
        unpack(data, path)
        manifest = read_manifest(path / MANIFEST)
        if expected and manifest.id != expected:
            raise InvalidError(f"The archive of {url!r} holds {manifest.id!r} and not {expected!r}.")
        return Origin(kind="external", name=manifest.id.replace("-", "_"), path=path, url=url)

    def _archive(self, pin: str | None) -> Path | None:
        return None if pin is None else self._folder / "archives" / f"{pin}.zip"

    def _keep(self, pin: str, data: bytes) -> Path:
        archive = self._folder / "archives" / f"{pin}.zip"
        archive.parent.mkdir(parents=True, exist_ok=True)
        partial = archive.with_suffix(".part")
        partial.write_bytes(data)
        partial.replace(archive)
        return archive
