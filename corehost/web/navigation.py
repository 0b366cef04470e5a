"""Build the menu that one user may see."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from corehost.contract.records import to_json
from corehost.contract.routes import NavigationItem
from corehost.web.paths import is_below

_IMAGE = (".svg", ".png", ".webp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One item of a plugin's menu with what it takes to see it.

    ``permissions`` are those of the page that it leads to; ``is_hidden`` is that page's wish. ``icon`` is the name
    of a Bootstrap icon or the address of a picture.
    """

    plugin_id: str
    item: NavigationItem
    permissions: tuple[str, ...]
    is_hidden: bool
    icon: str | None
    children: tuple[Entry, ...] = ()

    def trimmed(self, may: Callable[[str], bool]) -> Entry | None:
        """Return the entry with those children that may be seen, ``None`` if it may not be seen itself."""
        if self.is_hidden or not all(map(may, self.permissions)):
            return None
        return dataclasses.replace(self, children=tuple(trimmed(self.children, may)))

    def as_item(self) -> NavigationItem:
        """Return the entry as plugins see it."""
        return dataclasses.replace(self.item, children=tuple(child.as_item() for child in self.children))


def trimmed(entries: Iterable[Entry], may: Callable[[str], bool]) -> Iterator[Entry]:
    """Yield what may be seen, ordered."""
    for entry in in_order(entries):
        if (seen := entry.trimmed(may)) is not None:
            yield seen


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Return *entries* by ``order``, then by label."""
    return sorted(entries, key=lambda entry: (entry.item.order, entry.item.label.casefold(), entry.plugin_id))


def for_shell(entries: Iterable[Entry], path: str) -> list[dict[str, Any]]:
    """Return *entries* as the shell's templates get them; the one that *path* lies deepest below is active."""
    listed = list(entries)
    deepest = max((p for p in _paths(listed) if is_below(path, p.rstrip("/") or "/")), key=len, default=None)
    return [_shell_item(entry, deepest) for entry in listed]


def icon_of(icon: str | None, static_url: Callable[[str], str]) -> str | None:
    """Return *icon* as templates need it: a Bootstrap icon's name stays, a file becomes its address."""
    return static_url(icon.removeprefix("static/")) if icon and icon.endswith(_IMAGE) else icon


def _paths(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        yield entry.item.path
        yield from _paths(entry.children)


def _shell_item(entry: Entry, active: str | None) -> dict[str, Any]:
    children = [_shell_item(child, active) for child in entry.children]
    shown: dict[str, Any] = {"icon": None, "badge": None, **to_json(entry.item), "children": children}
    shown["icon"] = entry.icon
    shown["active"] = entry.item.path == active or any(child["active"] for child in children)
    return shown
