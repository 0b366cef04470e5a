"""Find a running host and open a client to it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from corehost.cli.datafolder import DataFolder
from corehost.cli.output import json_option
from corehost.client import HostClient
from corehost.contract.errors import UnreachableError
from corehost.settings import load_settings


class Target:
    """Which host to talk to, as the options say it."""

    def __init__(self, url: str | None, token: str | None, data_dir: str | None) -> None:
        self.url = url
        self.data_dir = data_dir
        self._token = token

    def address(self) -> tuple[str, str]:
        """Return address and token; raises ``UnreachableError`` if no host has left a note of itself."""
        if self.url is not None:
            # The note's token is for the host that wrote it: never send it to an address that somebody typed.
            return self.url.rstrip("/"), self._token or ""
        folder = load_settings({"data_dir": self.data_dir}, os.environ).data_dir
        running = DataFolder(folder).running()
        if running is None:
            raise UnreachableError(
                f"No host runs on the data folder {folder}. Start one with 'corehost serve', "
                "name its folder with --data-dir, or its address with --url."
            )
        return running.url, self._token or running.token

    def idle_folder(self) -> DataFolder | None:
        """Return the data folder if no host has it; raises ``UnreachableError`` where none ever had."""
        folder = DataFolder(load_settings({"data_dir": self.data_dir}, os.environ).data_dir)
        if folder.is_locked():
            return None
        if not (folder.path / "host.db").exists():
            raise UnreachableError(
                f"No host has ever run on the data folder {folder.path}. Start one with 'corehost serve', "
                "name its folder with --data-dir, or its address with --url."
            )
        return folder

    @contextmanager
    def client(self) -> Iterator[HostClient]:
        """Return a client of the host; raises ``UnreachableError`` if nothing answers there."""
        url, token = self.address()
        with HostClient(url, token) as client:
            yield client


_OPTIONS = (
    click.option("--url", envvar="COREHOST_URL", help="Address of the host. [COREHOST_URL]"),
    click.option("--token", envvar="COREHOST_TOKEN", help="Token to be let in by. [COREHOST_TOKEN]"),
    click.option("--data-dir", metavar="DIR", help="Data folder of the host. [COREHOST_DATA_DIR]"),
    json_option,
)


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--url``, ``--token``, ``--data-dir`` and ``--json``, and hand it a ``Target``."""

    @functools.wraps(command)
    def with_target(url: str | None, token: str | None, data_dir: str | None, **options: Any) -> Any:
        return command(Target(url, token, data_dir), **options)

    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(_OPTIONS), with_target)
