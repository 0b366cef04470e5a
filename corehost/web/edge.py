"""Join the parts of the web edge, and offer them to the host as one."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Flask
from flask_bootstrap import Bootstrap5

from corehost import __version__
from corehost.contract.core import RouteManager
from corehost.contract.user import UserContext
from corehost.messaging.lanes import Lanes
from corehost.plugins.assembly import Plugins
from corehost.plugins.registry import Plugin
from corehost.web.api import PluginsApi
from corehost.web.app import HostApp, add_host_pages
from corehost.web.attempts import Attempts
from corehost.web.audit_api import AuditApi
from corehost.web.auth import Authenticator, SessionCookie
from corehost.web.bulkhead import Bulkhead
from corehost.web.csrf import Csrf
from corehost.web.entrance import Entrance
from corehost.web.failures import Failures
from corehost.web.figures_api import FiguresApi
from corehost.web.gate import Gate, Wsgi
from corehost.web.gauges import edge_gauges
from corehost.web.grants_api import GrantsApi
from corehost.web.installs_api import InstallsApi
from corehost.web.keys_api import KeysApi
from corehost.web.live_routes import LiveRoutes
from corehost.web.metrics import Metrics
from corehost.web.mount import Mount, Place
from corehost.web.oidc import OidcOptions
from corehost.web.origins import EdgeAddress, Origins
from corehost.web.people_edge import people_blueprints
from corehost.web.plugin_app import AppTools
from corehost.web.proxies import TrustedProxies
from corehost.web.reference import Reference, SchemaBook
from corehost.web.remembered import RememberedSessions
from corehost.web.routes_api import Notify, PluginRouteManager
from corehost.web.sessions import FlaskSessions
from corehost.web.shell import Shell, user_of_request
from corehost.web.signin import Announce
from corehost.web.site import Site

Undo = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeOptions:
    """How the edge is reached and how it knows people.

    ``secret_key`` signs CSRF tokens and Flask's sessions; kept over restarts, both go on being good. ``token`` is
    the administrator's of this run, ``sign_in_code`` that of the printed link. A page of an isolated plugin must go on
    within ``page_seconds``.
    """

    address: EdgeAddress
    secret_key: bytes
    threads: int = 16
    token: str | None = None
    sign_in_code: str | None = None
    drain_seconds: float = 10.0
    page_seconds: float = 30.0
    oidc: OidcOptions | None = None


class Web:
    """The web edge of one host.

    ``ready`` is set when all plugins were tried; until then pages are the loading page. ``notify`` reaches browsers
    and may be set later; ``announce`` is told of ``user:login`` and ``user:logout``.
    """

    def __init__(
        self,
        *,
        plugins: Plugins,
        lanes: Lanes,
        bus: SchemaBook,
        options: EdgeOptions,
        ready: threading.Event,
        announce: Announce | None = None,
    ) -> None:
        self.notify: Notify | None = None
        self._plugins = plugins
        self._lanes = lanes
        self._bus = bus
        self.metrics = Metrics(plugins.registry, plugins.faults)
        self._options = options
        self._origins = Origins(options.address)
        self._csrf = Csrf(options.secret_key)
        self.site = Site(plugins.registry, plugins.permissions)
        self._shell = self._made_shell()
        self._failures = Failures(self._shell)
        self._people = plugins.database.people
        self._sessions = RememberedSessions(plugins.database.sessions)
        self._people.changes.tell(self._sessions.forget)
        self._entrance = Entrance(self._sessions, self._people, Attempts(), code=options.sign_in_code)
        self.bulkhead = Bulkhead(options.threads)
        cookie = SessionCookie(options.address, self._origins, lifetime=plugins.database.sessions.lifetime)
        self.authenticator = self._made_authenticator(cookie)
        self._host = self._made_host(ready, cookie, announce)
        self.mount = Mount(
            host=self._host,
            bulkhead=self.bulkhead,
            faults=plugins.faults,
            ready=ready,
            drain_seconds=options.drain_seconds,
        )
        self._tools = self._made_tools()
        self._gate = self._made_gate()
        plugins.leaks.add_parts(self.site.parts_of)
        plugins.leaks.add_count("pages", self.mount.count)

    @property
    def wsgi(self) -> Wsgi:
        """The WSGI callable."""
        return self._gate

    def register(self, blueprint: Blueprint) -> None:
        """Serve *blueprint* in the host's own app; before the first request."""
        self._host.register_blueprint(blueprint)

    def part(self, plugin: Plugin) -> Undo:
        """Put the pages of *plugin* on; the undo takes them off and waits until the last request has left."""
        if plugin.routes is None:
            return lambda: None
        return self._routes(plugin).go_live()

    def asleep_part(self, plugin: Plugin) -> Undo:
        """Show the menu of a plugin that sleeps, and wake it when a page is asked for."""
        with ExitStack() as stack:
            stack.callback(self.site.lay_down(plugin))
            if plugin.routes is not None and plugin.sleep is not None:
                place = Place(plugin.id, plugin.routes.base_path, self._host, wake=plugin.sleep.end)
                stack.callback(self.mount.attach(place))
            return stack.pop_all().close

    def routes_api(self, plugin: Plugin) -> RouteManager:
        """Return the ``core.routes`` of a plugin that is loaded."""
        return PluginRouteManager(
            self._routes(plugin),
            mount=self.mount,
            site=self.site,
            permissions=self._plugins.permissions,
            notify=self._tell_browser,
        )

    def sign_in_link(self, code: str | None = None, target: str = "/") -> str:
        """Return the address where *code*, by default the one of the options, signs in; then on to *target*."""
        wanted = f"&next={quote(target)}" if target != "/" else ""
        return f"{self._options.address.base_url}/signin?code={quote(code or self._options.sign_in_code or '')}{wanted}"

    def rules(self) -> Iterator[tuple[str | None, str, frozenset[str]]]:
        """Yield every rule that is served, in Flask's spelling, with its plugin's id and its methods."""
        apps: list[tuple[str | None, Any]] = [(None, self._host), *((p.plugin_id, p.app) for p in self.mount.places())]
        for plugin_id, app in apps:
            for rule in app.url_map.iter_rules():
                yield plugin_id, rule.rule, frozenset(rule.methods or ())

    def new_code(self, user_id: str | None = None) -> str:
        """Return a further sign-in code of a user, by default an administrator; good once, for a quarter of an hour."""
        return self._entrance.new_code(user_id)

    def _routes(self, plugin: Plugin) -> LiveRoutes:
        """Return the routes of this load of *plugin*; those of an earlier one are nobody's any more."""
        live = self.site.routes_of(plugin.id)
        if live is None or not live.belongs_to(plugin):
            entries_of = functools.partial(self.site.entries_of, plugin)
            live = LiveRoutes(plugin, self.mount, self._tools, entries_of=entries_of)
            self.site.add(plugin.id, live)
        return live

    def _made_authenticator(self, cookie: SessionCookie) -> Authenticator:
        return Authenticator(
            people=self._people,
            sessions=self._sessions,
            cookie=cookie,
            token=self._options.token,
            authenticate=self._authenticate,
        )

    def _made_gate(self) -> Gate:
        return Gate(
            inside=self.mount,
            refusals=self._host,
            origins=self._origins,
            authenticator=self.authenticator,
            csrf=self._csrf,
            proxies=TrustedProxies(self._options.address.trusted_proxies),
        )

    def _made_shell(self) -> Shell:
        return Shell(
            hooks=self._plugins.hooks,
            faults=self._plugins.faults,
            csrf=self._csrf,
            environment_of=self.site.environment_of,
            navigation=self.site.menu,
        )

    def _made_host(self, ready: threading.Event, cookie: SessionCookie, announce: Announce | None) -> HostApp:
        app = HostApp(failures=self._failures, ready=ready)
        self._configure(app, None)
        add_host_pages(
            app, shell=self._shell, ready=ready, first_page=self._first_page, static_folder=self.site.static_folder
        )
        for blueprint in people_blueprints(
            self._plugins,
            address=self._options.address,
            origins=self._origins,
            cookie=cookie,
            csrf=self._csrf,
            shell=self._shell,
            entrance=self._entrance,
            announce=announce,
            link=lambda user_id: self.sign_in_link(self.new_code(user_id)),
            oidc=self._options.oidc,
        ):
            app.register_blueprint(blueprint)
        app.register_blueprint(PluginsApi(self._plugins, self.site, self.bulkhead).blueprint())
        app.register_blueprint(InstallsApi(self._plugins).blueprint())
        app.register_blueprint(KeysApi(self._plugins).blueprint())
        app.register_blueprint(GrantsApi(self._plugins, self.bulkhead).blueprint())
        app.register_blueprint(AuditApi(self._plugins.database.audit, self._plugins.permissions).blueprint())
        app.register_blueprint(self._made_figures().blueprint())
        app.register_blueprint(self._made_reference().blueprint())
        self._shell.use_bare(app)
        return app

    def _made_figures(self) -> FiguresApi:
        self._plugins.oversight.containment.add(self.bulkhead.restrict)
        return FiguresApi(self._plugins, waiting=self._lanes.depths, inside=self.bulkhead.inside)

    def _made_reference(self) -> Reference:
        for gauge in edge_gauges(self.bulkhead, self._lanes):
            self.metrics.add(gauge)
        return Reference(
            plugins=self._plugins,
            bus=self._bus,
            site=self.site,
            shell=self._shell,
            metrics=self.metrics,
            base_url=self._options.address.base_url,
        )

    def _made_tools(self) -> AppTools:
        return AppTools(
            shell=self._shell,
            failures=self._failures,
            faults=self._plugins.faults,
            permissions=self._plugins.permissions,
            folder_of=self.site.folder_of,
            link_elsewhere=functools.partial(self.site.link, host=self._host),
            configure=self._configure,
            page_seconds=self._options.page_seconds,
        )

    def _configure(self, app: Flask, plugin_id: str | None) -> None:
        """Give an app what sessions, Bootstrap and templates need to work alike in all of them."""
        app.config.update(SECRET_KEY=self._options.secret_key, BOOTSTRAP_SERVE_LOCAL=True)
        app.session_interface = FlaskSessions(self._options.address, self._origins)
        Bootstrap5(app)
        app.jinja_env.globals.update(
            plugin=plugin_id,
            corehost_version=__version__,
            static_url=functools.partial(self._static_url, plugin_id),
        )
        app.context_processor(lambda: {"csrf_token": self._shell.csrf_token()})

    def _static_url(self, own: str | None, path: str, plugin_id: str | None = None) -> str:
        return self.site.static_url(path, plugin_id or own)

    def _tell_browser(self, session: str, method: str, params: dict[str, Any]) -> None:
        if self.notify is not None:
            self.notify(session, method, params)

    def _first_page(self) -> str | None:
        user = user_of_request()
        return self.site.first_page(user) if user else None

    def _authenticate(self, headers: Mapping[str, str]) -> tuple[str, UserContext] | None:
        if not self._plugins.hooks.implementers("corehost_authenticate"):
            return None
        found = self._plugins.hooks.first_by("corehost_authenticate", headers=headers)
        return found if found is not None and isinstance(found[1], UserContext) else None
