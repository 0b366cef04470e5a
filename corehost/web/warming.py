"""Do once, in the template, what every worker would otherwise do first: what was warmed up is shared by all of them."""

from __future__ import annotations

import contextlib
import io
import socket
from types import ModuleType
from typing import Any

from corehost.contract.api import ApiSpec, Method
from corehost.contract.hookspecs import hookimpl
from corehost.contract.manifest import Manifest
from corehost.contract.message import Handler, MessageSchema, MessagesSpec
from corehost.contract.routes import Route, RoutesSpec
from corehost.contract.schema import compile_schema
from corehost.contract.stores import StoresSpec, derived, writable
from corehost.plugins.coroutines import Coroutines
from corehost.plugins.hooks import PluginHooks
from corehost.plugins.isolation.declarations import KINDS, declaration_to_json
from corehost.plugins.isolation.frames import Frames, pack
from corehost.plugins.loader import Imported
from corehost.web.isolated_pages import IsolatedPages

_ID = "warming"


def warm_up() -> None:
    """Declare and serve a plugin that is none; no thread is started."""
    module = ModuleType(_ID)
    number = writable(1)
    specs: dict[str, Any] = {
        "corehost_manifest": Manifest(id=_ID, name=_ID, version="1.0.0", description=""),
        "corehost_api": ApiSpec(version="1.0.0", methods={"get": Method(handler=lambda *_: None, input_schema={})}),
        "corehost_routes": RoutesSpec(base_path=f"/{_ID}", routes=(Route(path="/", view=lambda: "warm"),)),
        "corehost_messages": MessagesSpec(
            handlers={"get": Handler(handle=lambda _: None)},
            schemas={"get": MessageSchema(type=f"{_ID}:get", payload={"type": "object"})},
        ),
        "corehost_stores": StoresSpec(writable={"a": number}, readable={"b": derived(number, str)}),
    }
    for name, spec in specs.items():
        vars(module)[name] = hookimpl(_returning(name, spec))
    hooks = PluginHooks(_ID, module)
    for name in KINDS:
        declaration_to_json(_ID, name, hooks.ask(name))
    compile_schema({"type": "object"})({})
    pages = IsolatedPages(
        _ID, Imported(module=module, folder=None, drop=lambda: None), specs["corehost_routes"], Coroutines(_ID)
    )
    _ask(pages)


def _returning(name: str, spec: Any) -> Any:
    def hook() -> Any:
        return spec

    hook.__name__ = name
    return hook


def _ask(pages: IsolatedPages) -> None:
    """Ask for one page over a line as the host would, and read the answer."""
    host, worker = socket.socketpair()
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": f"/{_ID}", "SERVER_NAME": "warm", "SERVER_PORT": "80"}
    environ |= {"wsgi.url_scheme": "http", "SERVER_PROTOCOL": "HTTP/1.1"}
    with host, worker, contextlib.redirect_stderr(io.StringIO()):
        host.sendall(pack({"environ": environ, "user": None, "during": None}) + pack(b""))
        pages.converse(worker)
        frames = Frames(host)
        frames.next()
