"""Bring in the plugins from elsewhere, and see that somebody stands for them as long as they run."""

from __future__ import annotations

from pathlib import Path

from corehost.contract.errors import ConflictError, CorehostError
from corehost.plugins.external import Fetcher
from corehost.plugins.installing import ExternalFolder
from corehost.plugins.lifecycle import Lifecycle
from corehost.plugins.options import PluginOptions
from corehost.plugins.registry import Registry
from corehost.plugins.signing.keyring import Keyring
from corehost.plugins.signing.proofs import Proofs
from corehost.state.database import HostDatabase
from corehost.state.keys import TrustedKey


class Elsewhere:
    """The external plugins of a host, and the keys whose signatures it trusts."""

    def __init__(self, data_dir: Path, database: HostDatabase, registry: Registry, options: PluginOptions) -> None:
        self._registry = registry
        self._options = options
        self._fetcher = Fetcher(allow_loopback=options.allow_loopback_http)
        self.keyring = Keyring(database.keys, database.audit)
        proofs = Proofs(self.keyring.name_of, options.external_needs)
        self.folder = ExternalFolder(data_dir / "external", self._fetcher, proofs, is_allowed=options.allow_external)

    def bring(self, lifecycle: Lifecycle) -> None:
        """Fetch, list and load the plugins at the addresses that the operator set; those not allowed are listed."""
        for url in self._options.external_urls:
            try:
                self._bring(url, lifecycle)
            except ConflictError:  # the host is stopping
                return

    def trust(self, key: str, name: str, *, by: str, lifecycle: Lifecycle) -> TrustedKey:
        """Trust a key, and try again to load what nobody stood for before; raises as ``Keyring.trust`` does."""
        trusted = self.keyring.trust(key, name, by=by)
        external = [p for p in self._registry.all() if p.origin.kind == "external" and p.barred is None]
        lifecycle.submit_arrived([plugin.origin for plugin in external if plugin.status == "error"])
        return trusted

    def forget(self, which: str, *, by: str, lifecycle: Lifecycle) -> TrustedKey:
        """Trust a key no longer; what runs and has nobody else who stands for it is taken down at once."""
        forgotten = self.keyring.forget(which, by=by)
        for plugin in self._registry.enabled():
            if plugin.origin.kind == "external":
                try:
                    self.folder.require(plugin.origin)
                except (CorehostError, OSError) as error:
                    lifecycle.submit_crashed(plugin.id, error)
        return forgotten

    def _bring(self, url: str, lifecycle: Lifecycle) -> None:
        if not self._options.allow_external:
            lifecycle.submit_listed(self._fetcher.list(url))
            return
        try:
            origin = self.folder.install(url)
        except (CorehostError, OSError) as error:
            lifecycle.submit_listed(self._fetcher.list(url, refused=error))
        else:
            lifecycle.submit_arrived([origin])
