"""List what may be asked for without a permission; everything that is not listed here is denied by default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from corehost.web.paths import is_below


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenResource:
    """A path, or with ``below`` all paths below it, and why it is open.

    ``to`` is ``all``, who are then not even asked who they are, ``strangers``, whose identity is known if they have
    one, or ``people``: whoever is signed in. What ``people`` are shown is up to their permissions all the same.
    """

    path: str
    to: Literal["all", "strangers", "people"]
    why: str
    below: bool = False

    def covers(self, path: str) -> bool:
        """Tell whether *path* is meant."""
        return is_below(path, self.path) if self.below else path == self.path


OPEN: Final = (
    # A database that hangs must not hide that the host lives: nobody is looked up for these.
    OpenResource(path="/healthz", to="all", why="Says yes, to whoever watches over the process."),
    OpenResource(path="/readyz", to="all", why="Says yes or no, to whoever sends it visitors."),
    OpenResource(path="/static/corehost", to="all", below=True, why="The host's own scripts and styles; same for all."),
    OpenResource(path="/bootstrap/static", to="all", below=True, why="Bootstrap's files; the same for all."),
    OpenResource(path="/signin", to="strangers", why="How a stranger ceases to be one."),
    OpenResource(path="/signin/oidc", to="strangers", why="Leads to the OpenID provider, if one is set."),
    OpenResource(path="/signin/oidc/back", to="strangers", why="Where the OpenID provider sends people back to."),
    OpenResource(path="/", to="people", why="Leads to the first page that the user may see, or to none."),
    OpenResource(path="/signout", to="people", why="Everybody may leave."),
    OpenResource(path="/account", to="people", why="A user's own profile, password, sessions and tokens."),
    OpenResource(path="/docs", to="people", why="Lists only what the user may use."),
    OpenResource(path="/api/openapi.json", to="people", why="Lists only what the user may use."),
    OpenResource(path="/api/asyncapi.json", to="people", why="Lists only the types that the user may see."),
    OpenResource(path="/api/plugins/manifest", to="people", why="Lists only the plugins that the user may use."),
    OpenResource(path="/api/plugins/messages", to="people", why="Shows and takes only the types that the user may."),
    OpenResource(
        path="/static/plugins",
        to="people",
        below=True,
        why="Scripts, styles and pictures of enabled plugins, no data; shells and layouts use one another's.",
    ),
)


def is_for_all(path: str) -> bool:
    """Tell whether *path* is the same for everyone, known or not."""
    return any(resource.to == "all" and resource.covers(path) for resource in OPEN)


def is_for_strangers(path: str) -> bool:
    """Tell whether *path* may be asked for by somebody who is not signed in."""
    return any(resource.to != "people" and resource.covers(path) for resource in OPEN)
