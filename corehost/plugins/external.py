"""Fetch external plugins: the manifest to list one, and the pinned archive to run it."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import urllib3

from corehost.contract.errors import (
    CorehostError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
)
from corehost.contract.manifest import Manifest, id_fault
from corehost.plugins.addresses import open_pool, parts_of
from corehost.plugins.deadlines import run_with_deadline
from corehost.plugins.http import failure, read_body
from corehost.plugins.manifests import MAX_BYTES, parse_manifest
from corehost.plugins.registry import Plugin
from corehost.plugins.sources import MANIFEST, Origin

MAX_REDIRECTS = 3
MAX_ARCHIVE = 10_000_000
_PIN = re.compile(r"sha256=[0-9A-Fa-f]{64}")
NOT_ALLOWED = "not allowed: running external plugins is off on this host."


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Fetches over https, by rules that keep it out of our own network.

    ``allow_loopback`` also allows http to this machine, for tests; ``seconds`` is for the whole of one fetch.
    """

    allow_loopback: bool = False
    seconds: float = 10.0

    def fetch(self, url: str) -> Manifest:
        """Return the manifest at ``<url>/manifest.json``.

        Raises ``NotAllowedError`` for an address or redirect that is not allowed, ``NotFoundError``,
        ``LateError``, ``TooLargeError``, ``InvalidError`` for a pin that is none, ``ManifestError``.
        """
        pin_of(url)
        address = _address_of(url)
        return parse_manifest(self._get(f"{address}/{MANIFEST}", MAX_BYTES), f"{address}/{MANIFEST}")

    def fetch_archive(self, url: str) -> tuple[Manifest | None, bytes]:
        """Return the manifest and the archive ``<url>/<id>-<version>.zip``; of a *url* that ends so, the archive only.

        It is not to be believed yet, but for ``#sha256=<hex>``, which pins its bytes. Raises as ``fetch`` does, and
        ``InvalidError`` for other bytes than those pinned.
        """
        pin, address = pin_of(url), _address_of(url)
        manifest = None if is_archive(url) else self.fetch(url)
        place = address if manifest is None else f"{address}/{manifest.id}-{manifest.version}.zip"
        data = self._get(place, MAX_ARCHIVE)
        if pin is not None:
            require_pinned(data, pin, place.rpartition("/")[2])
        return manifest, data

    def list(self, url: str, refused: Exception | None = None) -> Plugin:
        """Return an entry for the external plugin at *url* that is not run: with the reason why not.

        Without *refused*, which says why it could not be installed, the reason is that none are allowed.
        """
        name = urlsplit(url).path.rstrip("/").rpartition("/")[2]
        origin = Origin(kind="external", name=name, url=url)
        plugin = Plugin(name if not id_fault(name) else f"external-{_short_hash(url)}", origin)
        try:
            reason = NOT_ALLOWED if refused is None else str(refused)
            if not is_archive(url):
                plugin.manifest = self.fetch(url)
                plugin.id = plugin.manifest.id
        except CorehostError as error:
            reason = error.text
        plugin.barred = NotAllowedError(f"Plugin {plugin.id!r}: {reason}")
        plugin.status, plugin.error = "error", reason
        return plugin

    def _get(self, url: str, limit: int) -> bytes:
        # A server may send one byte a second for ever; only a deadline from outside ends that.
        return run_with_deadline(
            lambda: self._fetch(url, limit),
            seconds=self.seconds + 1,
            what=f"The fetch of {url!r}",
            name="corehost-fetch",
        )

    def _fetch(self, asked: str, limit: int) -> bytes:
        until = time.monotonic() + self.seconds
        url = asked
        for _ in range(MAX_REDIRECTS + 1):
            with self._answer(url, until) as answer:
                if answer.status == 200:
                    return read_body(answer, limit, until)
                if answer.status not in (301, 302, 303, 307, 308):
                    raise NotFoundError(f"{url!r} answers with {answer.status}.")
                url = _same_host(url, urljoin(url, answer.headers.get("location", "")))
        raise NotAllowedError(f"{asked!r} redirects more than {MAX_REDIRECTS} times.")

    @contextmanager
    def _answer(self, url: str, until: float) -> Iterator[urllib3.BaseHTTPResponse]:
        parts = parts_of(url)
        if parts.scheme != "https" and not (self.allow_loopback and parts.scheme == "http"):
            raise NotAllowedError(f"{url!r} must begin with https://.")
        headers = {"Host": parts.netloc, "Accept": "*/*", "Accept-Encoding": "identity"}
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        left = urllib3.Timeout(total=max(0.1, until - time.monotonic()))
        with closing(open_pool(parts, allow_loopback=self.allow_loopback)) as pool:
            try:
                answer = pool.urlopen(
                    "GET", target, headers=headers, redirect=False, timeout=left, preload_content=False
                )
            except urllib3.exceptions.HTTPError as error:
                raise failure(error, url, self.seconds) from error
            with closing(answer):
                yield answer


def _same_host(url: str, target: str) -> str:
    old, new = parts_of(url), parts_of(target)
    if (old.scheme, old.netloc) != (new.scheme, new.netloc):
        raise NotAllowedError(f"{url!r} redirects to another host, {new.netloc!r}.")
    return target


def _address_of(url: str) -> str:
    return url.partition("#")[0].rstrip("/")


def is_archive(url: str) -> bool:
    """Tell whether *url* leads to an archive itself, not to the folder of a plugin."""
    return urlsplit(_address_of(url)).path.endswith(".zip")


def pin_of(url: str) -> str | None:
    """Return the hash in ``#sha256=<hex>`` at the end of *url*, in small letters; raises ``InvalidError``."""
    address, _, pin = url.partition("#")
    if not pin:
        return None
    if not _PIN.fullmatch(pin):
        raise InvalidError(f"{pin!r} at the end of {address!r} is no pin such as '#sha256=<64 hex digits>'.")
    return pin.partition("=")[2].lower()


def require_pinned(data: bytes, pin: str, what: str) -> None:
    """Raise ``InvalidError`` unless *data* has the hash *pin*."""
    found = hashlib.sha256(data).hexdigest()
    if not hmac.compare_digest(found, pin):
        raise InvalidError(f"{what!r} has sha256 {found}, not the pinned {pin}. It is not what was agreed to.")


def _short_hash(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:8]
