"""Find a plugin's templates, those of its dependencies and the host's, in this order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import flask_bootstrap
from flask import Flask
from flask.templating import DispatchingJinjaLoader
from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, TemplateNotFound

FolderOf = Callable[[str], Path | None]
"""Returns the folder of a plugin that is loaded."""

HOST_TEMPLATES = Path(__file__).parent / "templates"
_BOOTSTRAP_TEMPLATES = Path(flask_bootstrap.__file__).parent / "templates"


def host_loader() -> BaseLoader:
    """Return the loader of the templates that every app has: the host's and Bootstrap-Flask's macros."""
    return ChoiceLoader([FileSystemLoader(HOST_TEMPLATES), FileSystemLoader(_BOOTSTRAP_TEMPLATES)])


def plugin_loader(app: Flask, ids: frozenset[str], folder_of: FolderOf) -> BaseLoader:
    """Return the loader of one plugin's app; *ids* are the plugins whose templates it may name with a prefix."""
    return ChoiceLoader([DispatchingJinjaLoader(app), _PrefixedLoader(ids, folder_of), host_loader()])


class _PrefixedLoader(BaseLoader):
    """Loads ``<plugin id>/<template>`` from the templates of that plugin."""

    def __init__(self, ids: frozenset[str], folder_of: FolderOf) -> None:
        self._ids = ids
        self._folder_of = folder_of

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool] | None]:
        owner, _, name = template.partition("/")
        folder = self._folder_of(owner) if owner in self._ids else None
        if folder is None or not name:
            raise TemplateNotFound(template)
        return FileSystemLoader(folder / "templates").get_source(environment, name)


def add_globals(app: Flask, values: Mapping[str, Any]) -> None:
    """Give *values* to all templates of *app*, imported macros included."""
    app.jinja_env.globals.update(values)
