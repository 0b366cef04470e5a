from __future__ import annotations

from typing import Any

import pytest

from corehost import Guard, Route, RouteMeta
from corehost.contract.errors import ManifestError
from corehost.web.routing import plan_routes, rule_of


def view(**params: Any) -> str:
    return "page"


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/", "/"),
        ("/items/:id", "/items/<id>"),
        ("/items/[id]/edit", "/items/<id>/edit"),
        ("/files/[...rest]", "/files/<path:rest>"),
        ("/items/<int:id>", "/items/<int:id>"),
        ("/plain.txt", "/plain.txt"),
    ],
)
def test_three_spellings_become_flasks(path: str, rule: str) -> None:
    assert rule_of(path) == rule


def test_children_have_their_parents_path_layouts_guards_and_permissions() -> None:
    def no(context: object) -> bool:
        return False

    outer, inner = Guard(can_activate=no), Guard(can_activate=no)
    tree = Route(
        path="/a",
        layout="outer.html",
        guards=(outer,),
        meta=RouteMeta(permissions=("x:read",)),
        children=(
            Route(path="/", view=view),
            Route(path="/b", view=view, layout="inner.html", guards=(inner,), meta=RouteMeta(permissions=("x:write",))),
        ),
    )

    index, child = plan_routes("/p", [tree])

    assert index.pattern == "/p/a"
    assert child.pattern == "/p/a/b"
    assert child.layouts == ("inner.html", "outer.html")
    assert child.guards == (outer, inner)
    assert child.permissions == ("x:read", "x:write")


def test_a_route_without_a_view_only_groups() -> None:
    planned = plan_routes("/p", [Route(path="/a", children=(Route(path="/b", view=view),))])

    assert [route.pattern for route in planned] == ["/p/a/b"]


def test_a_catch_all_also_stands_for_nothing() -> None:
    (route,) = plan_routes("/p", [Route(path="/files/[...rest]", view=view)])

    assert route.rules == (("/files/<path:rest>", ()), ("/files", (("rest", ""),)))


def test_endpoints_are_named_after_views_each_once() -> None:
    planned = plan_routes("/p", [Route(path="/", view=view), Route(path="/b", view=view)])

    assert [route.endpoint for route in planned] == ["view", "view_2"]


def test_an_added_route_stands_in_for_a_declared_one_of_its_path() -> None:
    def newer() -> str:
        return "newer"

    planned = plan_routes(
        "/p", [Route(path="/", view=view), Route(path="/b", view=view)], [Route(path="/", view=newer)]
    )

    assert {route.pattern: route.view for route in planned} == {"/p/b": view, "/p": newer}


@pytest.mark.parametrize(
    "path", ["/[...rest]/more", "/:id/:id", "/:user-id", "/[id", "/[user-id]", "/<int:id>/:id", "/<id>/<id>"]
)
def test_a_path_that_cannot_be_served_is_named(path: str) -> None:
    with pytest.raises(ManifestError) as raised:
        plan_routes("/p", [Route(path=path, view=view)])

    assert {fault.path for fault in raised.value.faults} == {path}


def test_two_routes_of_one_path_are_refused_unless_their_methods_differ() -> None:
    get, post = Route(path="/a", view=view), Route(path="/a/", view=view, methods=("POST",))
    plan_routes("/p", [get, post])

    with pytest.raises(ManifestError, match="Two routes answer GET"):
        plan_routes("/p", [get, Route(path="/a", view=view)])
