"""Site: pages of many kinds, some of them hostile."""

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, abort, redirect, request

from corehost import (
    ApiSpec,
    Guard,
    Method,
    NavigationItem,
    PluginContext,
    Route,
    RouteContext,
    RouteMeta,
    RoutesSpec,
    hookimpl,
    page,
)

ready = Blueprint("ready", __name__, url_prefix="/ready")
contexts: list[PluginContext] = []


@ready.get("/<name>")
def greet(name: str) -> dict[str, str]:
    return {"hello": name}


def home() -> str:
    return '<h1>Home</h1><script src="/x.js"></script>'


def templated() -> Any:
    return page("templated.html", name="<b>")


def sent() -> dict[str, Any]:
    user = contexts[0].users.current()
    return {
        "headers": dict(request.headers),
        "environ": sorted(name for name in request.environ if name.startswith("HTTP_")),
        "body": request.get_data(as_text=True),
        "user": user.id if user else None,
    }


def hostile() -> Response:
    response = Response("{}", mimetype="application/json")
    response.set_cookie("corehost_session", "stolen")
    response.headers["Content-Security-Policy"] = "default-src *"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Clear-Site-Data"] = '"*"'
    response.headers["Service-Worker-Allowed"] = "/"
    response.headers["X-Frame-Options"] = "ALLOWALL"
    return response


def away(where: str) -> Any:
    target = {"out": "https://evil.example/", "slashes": "//evil.example/", "in": "/site"}[where]
    return redirect(target)


def stream() -> Response:
    def pieces() -> Iterator[bytes]:
        for _ in range(30):
            yield b"x" * 100_000

    return Response(pieces(), mimetype="application/octet-stream")


def broken() -> str:
    raise ValueError("this page is broken")


def teapot() -> str:
    abort(418, "short and stout")


def may(context: RouteContext) -> bool:
    return context.search_params.get("key") == ("open",)


def add(input: Any, context: Any) -> None:
    contexts[0].core.routes.register((Route(path="/added", view=lambda: "<p>added</p>"),))


@hookimpl
def corehost_api() -> ApiSpec:
    return ApiSpec(version="1.0.0", methods={"add": Method(handler=add)})


@hookimpl
def corehost_routes() -> RoutesSpec:
    return RoutesSpec(
        base_path="/site",
        blueprint=ready,
        navigation=(NavigationItem(id="site", label="Site", path="/site"),),
        routes=(
            Route(path="/", view=home, meta=RouteMeta(title="Home")),
            Route(path="/templated", view=templated, layout="layout.html"),
            Route(path="/sent", view=sent, methods=("GET", "POST")),
            Route(path="/hostile", view=hostile),
            Route(path="/away/:where", view=away),
            Route(path="/stream", view=stream),
            Route(path="/broken", view=broken),
            Route(path="/teapot", view=teapot),
            Route(path="/guarded", view=home, guards=(Guard(can_activate=may, redirect_to="/site"),)),
            Route(path="/refused", view=home, guards=(Guard(can_activate=may),)),
            Route(path="/secret", view=home, meta=RouteMeta(permissions=("site:secret",))),
        ),
    )


@hookimpl
def corehost_setup(context: PluginContext) -> None:
    contexts.append(context)
