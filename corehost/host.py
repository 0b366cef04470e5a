"""Build every part of a host once, joined to the others."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import structlog

from corehost.contract.errors import CorehostError, SettingsError
from corehost.contract.people import PeopleChange
from corehost.contract.user import UserContext
from corehost.messaging.assembly import Messaging
from corehost.plugins.assembly import Plugins
from corehost.plugins.faults import Faults
from corehost.plugins.isolation.runner import IsolationOptions
from corehost.plugins.lastwords import LastWordsWriter
from corehost.plugins.options import PluginOptions
from corehost.plugins.registry import Plugin, Registry
from corehost.plugins.strict import watch_strictly
from corehost.settings import Settings
from corehost.state.database import HostDatabase
from corehost.web.edge import EdgeOptions, Web
from corehost.web.edge_backend import EdgeBackend
from corehost.web.gate import Wsgi
from corehost.web.messages import messages_blueprint
from corehost.web.oidc import OidcOptions, role_map
from corehost.web.origins import EdgeAddress
from corehost.web.relay.limits import RelayLimits
from corehost.web.relay.relay import Relay
from corehost.web.selfcheck import check_takeover
from corehost.web.standing import Standing

Undo = Callable[[], None]
_DECIDING = frozenset({"corehost_authenticate", "corehost_check_permission"})
OnFault = Callable[[str], object]
ReadSettings = Callable[[], Settings]
"""Reads the settings anew; raises ``SettingsError``."""


class Host:
    """One corehost: bus, plugins and web edge, joined.

    *port* is the bound one; with ``None`` nothing listens, and requests come by ``wsgi`` only. *sign_in_code* opens
    one session. ``ready`` is set once every plugin was tried and, where something listens, once a browser's socket
    was seen to outlive the request that brought it. *read_settings* reads the settings anew for ``reload``.
    *on_fault* is told of every fault of a plugin.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        port: int | None = None,
        sign_in_code: str | None = None,
        options: PluginOptions | None = None,
        read_settings: ReadSettings | None = None,
        on_fault: OnFault | None = None,
    ) -> None:
        self.settings = settings
        self._read_settings = read_settings or (lambda: settings)
        self.ready = threading.Event()
        self._port = port
        self._closers = ExitStack()
        self._last_words = LastWordsWriter(settings.data_dir)
        self._closers.callback(self._last_words.close)
        self.database = HostDatabase(
            settings.data_dir,
            session_idle=settings.session_idle * 3_600.0,
            session_lifetime=settings.session_lifetime * 3_600.0,
            audit_days=settings.audit_days,
        )
        self._closers.callback(self.database.close)
        self._make_messaging()
        self._make_plugins(options or plugin_options(settings))
        self._make_web(sign_in_code)
        self._make_relay()
        if on_fault is not None:
            self._closers.callback(watch_strictly(self.registry, self.faults, on_fault))
        self._closers.callback(self.plugins.stop)

    @property
    def wsgi(self) -> Wsgi:
        """Everything over HTTP, as one WSGI callable."""
        return self.web.wsgi

    def start(self) -> None:
        """Load all plugins; raises ``CorehostError`` if the server around it cannot hold browsers' sockets."""
        if self._port is not None:
            self._last_words.open()  # not before the plugin layer has read those of the last run
            address = EdgeAddress(host=self.settings.host, port=self._port)  # not the public one, which a proxy serves
            check_takeover(address.base_url, self.settings.token or "")
        self.plugins.start()
        self.ready.set()

    def reload(self) -> None:
        """Read the settings again, then look at the plugin folders at once.

        Folders apply; a change of anything else waits for a restart and is named in the log, as are faults.
        """
        log = structlog.get_logger("corehost.host")
        try:
            read = self._read_settings()
        except SettingsError as error:
            log.error("settings not read again", reason=error.text)
        else:
            self.plugins.look_in(read.plugin_folders)
            if waiting := _waiting_for_restart(self.settings, read):
                log.warning("settings that wait for a restart", settings=waiting)
        self.plugins.lifecycle.rescan()

    def stop_soon(self) -> None:
        """Say goodbye to browsers; safe inside a signal handler."""
        self.relay.ask_stop()

    def stop(self) -> None:
        """Unload all plugins and close what was opened; a second call does nothing more."""
        self.ready.clear()
        self._closers.close()

    def _make_messaging(self) -> None:
        self.faults = Faults()
        self.registry = Registry()
        self.messaging = Messaging(
            self.faults, may_know_user=self.registry.may_know_user, deadline=self.settings.handler_deadline
        )
        self._closers.callback(self.messaging.close)
        self.bus = self.messaging.bus

    def _make_plugins(self, options: PluginOptions) -> None:
        self.plugins = Plugins(
            messaging=self.messaging,
            faults=self.faults,
            database=self.database,
            data_dir=self.settings.data_dir,
            registry=self.registry,
            options=options,
            routes_api=lambda plugin: self.web.routes_api(plugin),  # the edge is made after what it serves
        )

    def _make_web(self, sign_in_code: str | None) -> None:
        settings = self.settings
        self._address = EdgeAddress(
            host=settings.host,
            port=self._port or settings.port,
            public_url=settings.public_url,
            allowed_hosts=settings.allowed_hosts,
            trusted_proxies=settings.trusted_proxies,
        )
        self.web = Web(
            plugins=self.plugins,
            bus=self.bus,
            lanes=self.messaging.lanes,
            options=EdgeOptions(
                address=self._address,
                secret_key=self.database.secrets.derive("web"),
                threads=settings.threads,
                token=settings.token,
                sign_in_code=sign_in_code,
                drain_seconds=settings.drain_deadline,
                page_seconds=settings.handler_deadline,
                oidc=oidc_options(settings),
            ),
            ready=self.ready,
            announce=self._announce,
        )
        self.plugins.add_part(self.web.part, asleep=self.web.asleep_part)

    def _make_relay(self) -> None:
        backend = EdgeBackend(bus=self.bus, plugins=self.plugins)
        self.relay = Relay(backend, limits=RelayLimits(heartbeat=self.settings.heartbeat))
        self._closers.callback(self.relay.stop)
        self.web.notify = self.relay.notify
        self._make_standing()
        self.web.register(messages_blueprint(self.relay, backend, backend.identify, self._standing.arrived))
        self.bus.presence(self.relay.presence)
        self.plugins.add_part(self._refresh_permissions, asleep=self._refresh_permissions)

    def _make_standing(self) -> None:
        people = self.database.people
        self._standing = Standing(self.relay, people, self.database.sessions, is_enabled=self._is_enabled)
        people.changes.tell(self._standing.changed)
        people.changes.tell(self._tell_of_people)
        # Sessions and tokens also end by themselves; who is silent is found at the same pace.
        self._closers.callback(self.messaging.timers.every(self.settings.heartbeat, self._standing.check))

    def _refresh_permissions(self, plugin: Plugin) -> Undo:
        """Have the relay ask again who may see what, and who is who: that depends on which plugins are there."""
        closers = ExitStack()
        closers.callback(self._standing.check)
        closers.callback(self.relay.forget_permissions)
        if plugin.hooks is not None and plugin.hooks.has("corehost_check_permission"):
            closers.callback(self._recall)  # what was let in by one judge is looked at by the next
            self._recall()
        if plugin.hooks is not None and plugin.hooks.names() & _DECIDING:
            event = f"{plugin.id}:permissions-changed"
            closers.callback(self.messaging.events.on(event, self._recall, owner=plugin.id))
        self.relay.forget_permissions()
        return closers.close

    def _recall(self, data: Any = None) -> None:
        """Have all connections, or those of ``data["users"]``, made anew: a plugin decides otherwise from now on."""
        users = data.get("users") if isinstance(data, dict) else None
        self.relay.forget_permissions()
        self._standing.recall(None if users is None else frozenset(map(str, users)))

    def _is_enabled(self, plugin_id: str) -> bool:
        plugin = self.registry.find(plugin_id)
        return plugin is not None and plugin.is_enabled

    def _tell_of_people(self, change: PeopleChange) -> None:
        """Write a change to the audit log, and tell pages that show people to look anew; names are not told."""
        self.database.audit.record(
            change.action, actor=change.actor, subject=change.subject, detail=dict(change.detail)
        )
        try:
            self.bus.send("core:people:changed", {"action": change.action})
        except CorehostError as error:  # a plugin may veto any message; the change is made all the same
            structlog.get_logger("corehost.host").warning("change of people not told", reason=error.text)

    def _announce(self, event: str, user: UserContext, ended: str | None) -> None:
        if ended is not None:
            self.relay.disconnect(session=ended)  # its pages in other tabs must not go on hearing
        self.messaging.events.emit(event, {"id": user.id, "roles": list(user.roles)})
        signals = self.messaging.signals
        signal = signals.user_login if event == "user:login" else signals.user_logout
        signal.send(user.id, user=user)


def create_host(
    settings: Settings,
    *,
    port: int | None = None,
    sign_in_code: str | None = None,
    read_settings: ReadSettings | None = None,
    on_fault: OnFault | None = None,
) -> Host:
    """Return a host that is built and not started; what it opened is closed by ``stop``."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return Host(settings, port=port, sign_in_code=sign_in_code, read_settings=read_settings, on_fault=on_fault)


def oidc_options(settings: Settings) -> OidcOptions | None:
    """Return the OpenID provider that the operator has set, if any."""
    if settings.oidc_issuer is None:
        return None
    return OidcOptions(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id or "",
        client_secret=settings.oidc_client_secret,
        name_claim=settings.oidc_name_claim,
        role_claim=settings.oidc_role_claim,
        roles=role_map(settings.oidc_roles),
    )


def _waiting_for_restart(running: Settings, read: Settings) -> list[str]:
    """Return the names of settings that were changed; the token of this run was made for it, and does not count."""
    names = (field.name for field in dataclasses.fields(Settings) if field.name not in ("plugins", "token"))
    return [name for name in names if getattr(running, name) != getattr(read, name)]


def plugin_options(settings: Settings) -> PluginOptions:
    """Return where and how plugins are found, as set by the operator."""
    return PluginOptions(
        folders=settings.plugin_folders,
        external_urls=settings.external_plugins,
        allow_external=settings.allow_external,
        external_needs=settings.external_needs,
        isolated=frozenset(settings.isolate),
        isolation=IsolationOptions(hook_seconds=settings.hook_deadline),
        safe_mode=settings.safe_mode,
        hook_seconds=settings.hook_deadline,
        drain_seconds=settings.drain_deadline,
        scan_seconds=settings.scan_interval,
        budgets=settings.budgets,
        quarantine_seconds=settings.quarantine_pause,
        trial_seconds=settings.upgrade_trial,
        trial_errors=settings.upgrade_errors,
        find_keepers=settings.leaks,
        reload=settings.reload,
    )
