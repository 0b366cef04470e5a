"""Keep the keys that the operator trusts, and say in the audit log who trusted them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from corehost.contract.errors import Fault, InvalidError, NotFoundError
from corehost.contract.records import to_json
from corehost.plugins.signing.keys import PublicKey, read_public
from corehost.state.audit import AuditLog
from corehost.state.keys import TrustedKey, TrustedKeys

_LONGEST = 80


def describe_key(trusted: TrustedKey) -> dict[str, Any]:
    """Return a trusted key as JSON, with its ``id``."""
    return {"id": read_public(trusted.key).id, **to_json(trusted)}


class Keyring:
    """The trusted keys of a host; what is trusted or forgotten holds from that moment on, and over restarts."""

    def __init__(self, keys: TrustedKeys, audit: AuditLog) -> None:
        self._keys = keys
        self._audit = audit
        self._lock = threading.Lock()
        self._names: Mapping[str, str] | None = None

    def all(self) -> list[TrustedKey]:
        """Return the trusted keys, by name."""
        return self._keys.all()

    def name_of(self, key: PublicKey) -> str | None:
        """Return what the operator calls the owner of *key*, ``None`` unless it is trusted."""
        with self._lock:
            if self._names is None:
                self._names = {trusted.key: trusted.name for trusted in self._keys.all()}
            return self._names.get(str(key))

    def trust(self, text: str, name: str, *, by: str) -> TrustedKey:
        """Trust the public key *text*, or call it otherwise; *by* is who decides, such as ``user:ann``.

        Raises ``InvalidError``, also for a *name* that another key has.
        """
        key, name = read_public(text), name.strip()
        if not name.isprintable() or not 0 < len(name) <= _LONGEST:
            raise InvalidError("The key was not trusted.", [Fault(path="/name", message="Must be a name on one line.")])
        if any(other.name == name and other.key != str(key) for other in self._keys.all()):
            message = f"Another key is called {name!r}. Forget that one, or choose another name."
            raise InvalidError("The key was not trusted.", [Fault(path="/name", message=message)])
        with self._lock:
            trusted = self._keys.put(str(key), name, by=by)
            self._names = None
        self._audit.record("key:trust", actor=by, subject=key.id, detail={"key": str(key), "name": name})
        return trusted

    def forget(self, which: str, *, by: str) -> TrustedKey:
        """Trust a key no longer, named by its id, its owner or itself; raises ``NotFoundError``."""
        found = [t for t in self._keys.all() if which in (t.key, t.name, read_public(t.key).id)]
        if len(found) != 1:
            raise NotFoundError(f"No trusted key is {which[:80]!r}. 'corehost key list' names them.")
        trusted = found[0]
        with self._lock:
            self._keys.drop(trusted.key)
            self._names = None
        key_id = read_public(trusted.key).id
        self._audit.record("key:forget", actor=by, subject=key_id, detail={"key": trusted.key, "name": trusted.name})
        return trusted
