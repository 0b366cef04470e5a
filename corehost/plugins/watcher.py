"""Reload a plugin when one of its files changes, for those who write it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import structlog
from watchfiles import DefaultFilter, watch

from corehost.contract.errors import ConflictError
from corehost.plugins.lifecycle import Lifecycle
from corehost.plugins.registry import Plugin, Registry

_CALM = 30
"""Milliseconds without a further change after which those seen are acted on; an editor writes more than once."""
_LONGEST = 400
_CODE = frozenset({".py", ".json"})
_SHOWN = frozenset({"templates", "static"})


class Watcher:
    """Follows the folders of local plugins by the kernel's own notices; what is new or gone is the scanner's business.

    A disabled plugin is left alone; one that failed is tried again.
    """

    def __init__(self, lifecycle: Lifecycle, registry: Registry, folders: Iterable[Path]) -> None:
        self._log = structlog.get_logger("corehost.plugins")
        self._lifecycle = lifecycle
        self._registry = registry
        self._folders = tuple(folders)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="corehost-plugin-watcher", daemon=True)

    def start(self) -> None:
        """Watch from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        folders = [folder for folder in self._folders if folder.is_dir()]
        if not folders:
            return
        notices = watch(
            *folders,
            watch_filter=DefaultFilter(),
            debounce=_LONGEST,
            step=_CALM,
            stop_event=self._stopped,
            raise_interrupt=False,
        )
        try:
            for changes in notices:
                self._reload({Path(path).resolve() for _, path in changes})
        except ConflictError:  # the host is stopping
            return

    def _reload(self, files: set[Path]) -> None:
        for plugin in self._registry.all():
            if plugin.barred is None and _concerns(files, plugin):
                self._lifecycle.submit_reload(plugin.id).add_done_callback(self._note)

    def _note(self, reload: Future[Any]) -> None:
        if (error := reload.exception()) is not None:  # told to the plugin's author already, where it matters
            self._log.debug("reload on save failed", error=str(error))


def _concerns(files: set[Path], plugin: Plugin) -> bool:
    path = plugin.origin.path
    if plugin.origin.kind != "local" or path is None or not path.exists():
        return False
    root = path.resolve()
    return any(_is_part(file, root) for file in files)


def _is_part(file: Path, root: Path) -> bool:
    """Tell whether *file* belongs to the plugin at *root*; what a plugin may write beside its code does not."""
    if not file.is_relative_to(root):
        return False
    inside = file.relative_to(root)
    return file.suffix in _CODE or (len(inside.parts) > 1 and inside.parts[0] in _SHOWN)
