"""Turn the routes that a plugin declares into a flat list of what Flask can serve."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from corehost.contract.errors import Fault, ManifestError
from corehost.contract.routes import Guard, Route, RouteMeta

_COLON = re.compile(r":(\w+)")
_BRACKETS = re.compile(r"\[(\w+)\]")
_REST = re.compile(r"\[\.\.\.(\w+)\]")
_OWN = re.compile(r"<(?:[^<>]*:)?(\w+)>")
_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRoute:
    """One page that can be served.

    ``pattern`` is the full path as declared, ``rules`` are Flask's spelling of it below the base path with the
    values that a shorter one leaves out; ``layouts`` are templates from the inside out; ``permissions`` and
    ``guards`` include the parents'.
    """

    pattern: str
    rules: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    endpoint: str
    view: Callable[..., Any]
    methods: tuple[str, ...]
    layouts: tuple[str, ...]
    guards: tuple[Guard, ...]
    permissions: tuple[str, ...]
    meta: RouteMeta


@dataclass(frozen=True, slots=True, kw_only=True)
class _Above:
    """What a route has from its parents."""

    path: str = ""
    layouts: tuple[str, ...] = ()
    guards: tuple[Guard, ...] = ()
    permissions: tuple[str, ...] = ()


def plan_routes(base_path: str, declared: Iterable[Route], added: Iterable[Route] = ()) -> tuple[PlannedRoute, ...]:
    """Return the pages of *declared* and *added* routes; an added one stands in for a declared one of its path.

    Raises ``ManifestError`` naming every path that cannot be served.
    """
    found = [*_flatten(declared, _Above())]
    later = [*_flatten(added, _Above())]
    taken = {(_path_of(above, route), method) for route, above in later for method in route.methods}
    kept = [(r, a) for r, a in found if not any((_path_of(a, r), method) in taken for method in r.methods)]
    _refuse_faults([*kept, *later])
    names = _Names()
    return tuple(_planned(base_path, route, above, names) for route, above in [*kept, *later])


def rule_of(path: str) -> str:
    """Return *path* in Flask's spelling: ``:id`` and ``[id]`` become ``<id>``, ``[...rest]`` ``<path:rest>``."""
    return "/".join(_segment_rule(segment) for segment in path.split("/"))


def join(parent: str, path: str) -> str:
    """Return *path* below *parent*, without a slash at its end; the root below nothing is ``""``."""
    return (parent + path).rstrip("/")


def _flatten(routes: Iterable[Route], above: _Above) -> Iterator[tuple[Route, _Above]]:
    for route in routes:
        if route.view is not None:
            yield route, above
        yield from _flatten(route.children, _below(route, above))


def _below(route: Route, above: _Above) -> _Above:
    return _Above(
        path=join(above.path, route.path),
        layouts=_layouts(route, above),
        guards=(*above.guards, *route.guards),
        permissions=(*above.permissions, *route.meta.permissions),
    )


def _layouts(route: Route, above: _Above) -> tuple[str, ...]:
    return (route.layout, *above.layouts) if route.layout else above.layouts


def _path_of(above: _Above, route: Route) -> str:
    return join(above.path, route.path)


def _planned(base_path: str, route: Route, above: _Above, names: _Names) -> PlannedRoute:
    path = _path_of(above, route)
    assert route.view is not None
    return PlannedRoute(
        pattern=f"{base_path}{path}",
        rules=_rules(path),
        endpoint=names.unused(getattr(route.view, "__name__", "page")),
        view=route.view,
        methods=tuple(method.upper() for method in route.methods),
        layouts=_layouts(route, above),
        guards=(*above.guards, *route.guards),
        permissions=(*above.permissions, *route.meta.permissions),
        meta=route.meta,
    )


def _rules(path: str) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    *before, last = path.split("/")
    full = (rule_of(path), ())
    if rest := _REST.fullmatch(last):
        # SvelteKit's [...rest] also stands for nothing at all.
        return (full, (rule_of("/".join(before)), ((rest[1], ""),)))
    return (full,)


def _segment_rule(segment: str) -> str:
    if match := _REST.fullmatch(segment):
        return f"<path:{match[1]}>"
    if match := _COLON.fullmatch(segment) or _BRACKETS.fullmatch(segment):
        return f"<{match[1]}>"
    return segment


def _refuse_faults(routes: Sequence[tuple[Route, _Above]]) -> None:
    faults: list[Fault] = []
    seen: set[tuple[str, str]] = set()
    for route, above in routes:
        path = _path_of(above, route)
        faults.extend(_path_faults(path))
        for method in route.methods:
            if (path, method.upper()) in seen:
                faults.append(Fault(path=path or "/", message=f"Two routes answer {method.upper()}. Leave one out."))
            seen.add((path, method.upper()))
    if faults:
        raise ManifestError("These routes cannot be served.", faults)


def _path_faults(path: str) -> Iterator[Fault]:
    names: list[str] = []
    segments = path.split("/")
    for index, segment in enumerate(segments):
        if _REST.fullmatch(segment) and index != len(segments) - 1:
            yield Fault(path=path, message=f"{segment!r} takes all that follows, so nothing may follow it.")
        rule = _segment_rule(segment)
        names += _OWN.findall(rule)
        if rule == segment and (segment[:1] in (":", "[") or segment.endswith("]")):
            yield Fault(path=path, message=f"{segment!r} is no parameter such as ':id', '[id]' or '[...rest]'.")
    for name in names:
        if not _NAME.fullmatch(name) or names.count(name) > 1:
            yield Fault(path=path, message=f"{name!r} must be a Python name that the path holds once.")


class _Names:
    """Endpoint names after the views', each once."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def unused(self, wanted: str) -> str:
        """Return *wanted*, with a number behind it if it is taken."""
        name = base = re.sub(r"\W", "_", wanted).strip("_") or "page"
        number = 1
        while name in self._used:
            number += 1
            name = f"{base}_{number}"
        self._used.add(name)
        return name
