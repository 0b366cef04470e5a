"""Talk to a running host: its API over HTTP, its bus over a WebSocket that resumes."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self
from urllib.parse import quote, urlencode

import urllib3
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from corehost.contract import errors
from corehost.contract.errors import CorehostError, Fault, InvalidError, UnreachableError

_API = "/api/plugins"
Archive = tuple[str, bytes]
"""Name and bytes of a wheel or zip."""
_MOST = 64 * 1_048_576
_LONGEST_PAUSE = 10.0


class HostClient:
    """One host at *url*, asked in the name of *token*'s owner; *timeout* is in seconds.

    What the host refuses is raised as the error of ``corehost.contract.errors`` that it names. The constructor
    does not connect.
    """

    def __init__(self, url: str, token: str, *, timeout: float = 60.0) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout = timeout
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._pool.clear()

    def is_ready(self) -> bool:
        """Tell whether the host has loaded its plugins."""
        return self._send("GET", "/readyz").status == 200

    def plugins(self) -> list[dict[str, Any]]:
        """Return all plugins: id, source, enabled, status, manifest, permissions, error."""
        items: list[dict[str, Any]] = self._json("GET", f"{_API}/manifest")["items"]
        return items

    def plugin(self, plugin_id: str) -> dict[str, Any]:
        """Return one plugin in full."""
        found: dict[str, Any] = self._json("GET", _plugin(plugin_id))
        return found

    def figures(self) -> list[dict[str, Any]]:
        """Return the figures of all plugins: times by kind of work, queues, faults; needs ``metrics:read``."""
        items: list[dict[str, Any]] = self._json("GET", f"{_API}/metrics")["items"]
        return items

    def set_status(
        self, plugin_id: str, status: str, *, cascade: bool = False, dry_run: bool = False, reload: bool = False
    ) -> dict[str, Any]:
        """Set the status to ``enabled`` or ``disabled`` and return ``{id, status}``; with *dry_run*, the plan.

        With *reload*, an enabled plugin's code is read anew. Raises ``DependantsError`` if others need the
        plugin and *cascade* is not asked for.
        """
        flags = {"cascade": "1"} if cascade else {}
        flags |= {"dryRun": "1"} if dry_run else {}
        flags |= {"reload": "1"} if reload else {}
        query = f"?{urlencode(flags)}" if flags else ""
        answer: dict[str, Any] = self._json("PUT", f"{_plugin(plugin_id)}/status{query}", {"status": status})
        return answer

    def install(self, source: str | None = None, *, archive: Archive | None = None, force: bool = False) -> Any:
        """Begin to install a plugin from *source*, or of an *archive*, and return the job that can be followed."""
        return self._job("POST", _API, source, archive, force)

    def upgrade(
        self, plugin_id: str, source: str | None = None, *, archive: Archive | None = None, force: bool = False
    ) -> Any:
        """Begin to upgrade a plugin, without both from where it was installed, and return the job."""
        return self._job("PUT", f"{_plugin(plugin_id)}/version", source, archive, force)

    def plan_upgrade(self, plugin_id: str, source: str | None = None, *, archive: Archive | None = None) -> Any:
        """Try a version as for an upgrade and return ``{id, plan}``; nothing is changed."""
        return self._job("PUT", f"{_plugin(plugin_id)}/version", source, archive, force=False, dry_run=True)

    def plan_remove(self, plugin_id: str, *, cascade: bool = False) -> Any:
        """Return what removing a plugin would do, as ``{id, plan}``."""
        query = urlencode({"remove": 1, "dryRun": 1, "cascade": int(cascade)})
        return self._json("DELETE", f"{_plugin(plugin_id)}?{query}")

    def rollback(self, plugin_id: str, *, storage: bool = False, force: bool = False) -> Any:
        """Begin to bring the version before back, with *storage* also its storage, and return the job."""
        query = urlencode({"storage": int(storage), "force": int(force)})
        return self._json("DELETE", f"{_plugin(plugin_id)}/version?{query}")

    def remove(self, plugin_id: str, *, purge: bool = False, cascade: bool = False) -> Any:
        """Remove a plugin; return ``None`` when it is gone, and the job if that takes long."""
        query = urlencode({"remove": 1, "purge": int(purge), "cascade": int(cascade)})
        return self._json("DELETE", f"{_plugin(plugin_id)}?{query}")

    def job(self, job_id: str) -> Any:
        """Return how a job stands; raises what it failed with."""
        job = self._json("GET", f"/api/jobs/{quote(job_id, safe='')}")
        if job["problem"] is not None:
            raise _error(job["problem"]["status"], json.dumps(job["problem"]).encode())
        return job

    def call(self, plugin_id: str, method: str, input: Any = None) -> Any:
        """Call a plugin's method and return its result."""
        return self._json("POST", f"{_plugin(plugin_id)}/{quote(method, safe='')}", input)["result"]

    def send(
        self, type: str, payload: Any = None, *, target: str | None = None, meta: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Publish a message and return it as the host stamped it."""
        body = {"type": type, "payload": payload, "target": target, "meta": meta}
        given = {name: value for name, value in body.items() if value is not None or name == "payload"}
        message: dict[str, Any] = self._json("POST", f"{_API}/messages", given)
        return message

    def history(self, type: str | None = None, limit: int = 100, since: str | None = None) -> dict[str, Any]:
        """Return ``{items, cursor}``, oldest first: the newest, or those after the cursor *since*."""
        asked = {"type": type, "limit": limit, "since": since}
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        page: dict[str, Any] = self._json("GET", f"{_API}/messages?{query}")
        return page

    def follow(self, pattern: str = "*", since: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield each message that matches *pattern* as it comes, without end.

        A lost connection is made anew and resumes where it was; what the host could not keep until then comes as
        ``{"gap": {"from", "to"}}``. Raises ``UnreachableError`` if the first connection fails.
        """
        cursor, failures = since, 0
        while True:
            try:
                with self._connection() as connection:
                    failures = 0
                    for entry, reached in _followed(connection, pattern, cursor):
                        cursor = reached
                        if entry is not None:
                            yield entry
            except (ConnectionClosed, UnreachableError, errors.OverloadedError):
                if cursor is None:
                    raise
            failures += 1
            time.sleep(min(_LONGEST_PAUSE, 0.1 * 2**failures) * random.uniform(0.5, 1.0))  # noqa: S311  # no secret

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request to a resource below ``/api`` and return its JSON, ``None`` for an answer without."""
        return self._json(method, path, body)

    def _connection(self) -> ClientConnection:
        try:
            return connect(
                self._url.replace("http", "ws", 1) + f"{_API}/messages",
                additional_headers=self._headers,
                subprotocols=["corehost.v1"],  # type: ignore[list-item]  # a NewType of str
                compression=None,
                max_size=_MOST,
                open_timeout=self._timeout,
                close_timeout=1.0,
                proxy=None,
            )
        except InvalidStatus as refusal:
            raise _error(refusal.response.status_code, bytes(refusal.response.body or b"")) from refusal
        except (OSError, InvalidHandshake, WebSocketException) as error:
            raise self._unreachable(error) from error

    def _json(self, method: str, path: str, body: Any = None) -> Any:
        response = self._send(method, path, body)
        if response.status >= 400:
            raise _error(response.status, response.data)
        return json.loads(response.data) if response.data else None

    def _job(
        self,
        method: str,
        path: str,
        source: str | None,
        archive: Archive | None,
        force: bool,
        *,
        dry_run: bool = False,
    ) -> Any:
        query = {"force": int(force), "dryRun": int(dry_run)}
        if archive is None:
            return self._json(method, f"{path}?{urlencode(query)}", {} if source is None else {"source": source})
        return self._json(method, f"{path}?{urlencode({**query, 'name': archive[0]})}", archive[1])

    def _send(self, method: str, path: str, body: Any = None) -> urllib3.BaseHTTPResponse:
        options: dict[str, Any] = {} if method == "GET" else {"json": body}
        headers = self._headers
        if isinstance(body, bytes):
            options, headers = {"body": body}, {**headers, "Content-Type": "application/zip"}
        try:
            return self._pool.request(method, self._url + path, headers=headers, redirect=False, **options)
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> UnreachableError:
        return UnreachableError(f"No host answers at {self._url}: {error}. Start one with 'corehost serve'.")


def _plugin(plugin_id: str) -> str:
    if "/" in plugin_id or "\\" in plugin_id:
        text = f"{plugin_id!r} is no plugin's id, but looks like a path. 'corehost plugin list' shows the ids."
        raise InvalidError(text)
    return f"{_API}/{quote(plugin_id, safe='')}"


def _followed(
    connection: ClientConnection, pattern: str, since: str | None
) -> Iterator[tuple[dict[str, Any] | None, str]]:
    """Yield messages and gaps of one connection, each with the cursor from which to go on after it."""
    params = {"type": pattern} if since is None else {"type": pattern, "since": since}
    connection.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "bus.subscribe", "params": params}))
    for text in connection:
        frame = json.loads(text)
        told = frame.get("params", {})
        if frame.get("id") == 1:
            if "error" in frame:
                raise _rpc_error(frame["error"])
            if since is None:
                yield None, frame["result"]["cursor"]
        elif frame.get("method") == "bus.message":
            yield told["message"], told["cursor"]
        elif frame.get("method") == "bus.gap":
            yield {"gap": told}, told["to"]


_BY_SLUG: dict[str, type[CorehostError]] = {
    "malformed": errors.MalformedError,
    "contract": errors.ManifestError,
    "invalid": errors.InvalidError,
    "unauthenticated": errors.UnauthenticatedError,
    "forbidden": errors.PermissionDeniedError,
    "not-allowed": errors.NotAllowedError,
    "no-method": errors.MethodNotFoundError,
    "not-found": errors.NotFoundError,
    "dependency": errors.DependencyError,
    "conflict": errors.ConflictError,
    "too-large": errors.TooLargeError,
    "too-many-attempts": errors.TooManyAttemptsError,
    "busy": errors.OverloadedError,
    "late": errors.LateError,
    "plugin-fault": errors.PluginFaultError,
}
_BY_CODE: dict[int, type[CorehostError]] = {
    -32001: errors.UnauthenticatedError,
    -32003: errors.PermissionDeniedError,
    -32004: errors.NotFoundError,
    -32602: errors.InvalidError,
}


def _error(status: int, body: bytes) -> CorehostError:
    """Return the error that a problem document (RFC 9457) stands for."""
    try:
        problem = json.loads(body)
        slug, detail = str(problem["type"]).rpartition(":")[2], str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return CorehostError(f"The host answered {status} without saying why.")
    if "dependants" in problem:
        return errors.DependantsError(detail, problem["dependants"])
    if slug == "not-allowed" and "permissions" in problem:
        return errors.ConsentNeededError(detail, problem["permissions"])
    # The detail lists the faults already, so only the bare error carries them beside its text.
    error = _BY_SLUG.get(slug, CorehostError)(detail)
    if isinstance(error, errors.InvalidError):
        error.faults = tuple(Fault(path=f["path"], message=f["message"]) for f in problem.get("errors", ()))
    return error


def _rpc_error(error: Mapping[str, Any]) -> CorehostError:
    return _BY_CODE.get(error.get("code", 0), CorehostError)(str(error.get("message")))
