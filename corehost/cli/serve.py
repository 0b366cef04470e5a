"""`corehost serve`: run the host."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import click

from corehost.cli.datafolder import DataFolder, RunningHost
from corehost.cli.exits import ExitCode
from corehost.cli.logs import configure_logs
from corehost.cli.output import json_option, wants_json
from corehost.cli.strictness import Strictness
from corehost.host import Host, create_host
from corehost.settings import SETTINGS, Setting, Settings, is_loopback, load_settings
from corehost.web import server

F = TypeVar("F", bound=Callable[..., Any])


def _settings_options(command: F) -> F:
    for setting in reversed(SETTINGS):
        if setting.flag is not None:
            command = _option(setting)(command)
    return command


def _option(setting: Setting) -> Callable[[F], F]:
    text = f"{setting.help} [{setting.variables[0]}"
    if setting.default not in (None, (), False):
        text += f"; else {setting.default}"
    # The values stay raw: load_settings reads them all and names every fault at once, click only the first.
    if isinstance(setting.default, bool):
        return click.option(f"{setting.flag}/--no-{str(setting.flag)[2:]}", default=None, help=f"{text}]")
    return click.option(
        str(setting.flag),
        setting.name,
        multiple=setting.separator is not None,
        metavar=setting.metavar,
        help=f"{text}]" + (" May be repeated." if setting.separator else ""),
    )


@click.command()
@_settings_options
@click.option("--config", type=click.Path(path_type=Path), help="Settings file. [COREHOST_CONFIG; else corehost.toml]")
@json_option
def serve(config: Path | None, **flags: Any) -> None:
    """Run the host until it is told to stop (Ctrl-C, SIGTERM).

    Each option can also be set by the variable in brackets, or by its key in corehost.toml in the data folder:
    the option wins over the variable, the variable over the file. SIGHUP reads settings and plugin folders again.
    """

    def read() -> Settings:
        return load_settings(flags, os.environ, config=config)

    settings = read()
    # A token of this run lets the other commands in, by the note in the data folder.
    settings = dataclasses.replace(settings, token=settings.token or secrets.token_urlsafe(32))
    configure_logs("debug" if settings.debug else settings.log_level)
    code = secrets.token_urlsafe(32)

    strictness = Strictness()
    on_fault = strictness.tell if settings.strict else None

    def create(port: int) -> Host:
        return create_host(settings, port=port, sign_in_code=code, read_settings=read, on_fault=on_fault)

    with ExitStack() as closers:
        folder = DataFolder(settings.data_dir)
        folder.prepare()
        closers.callback(folder.lock())
        status = server.serve(settings, create, lambda port: _listening(settings, port, code, folder, closers))
    if strictness.has_ended_it:
        raise SystemExit(ExitCode.PLUGIN_FAULT)
    if status:
        raise SystemExit(ExitCode.FAILED)


def _listening(settings: Settings, port: int, code: str, folder: DataFolder, closers: ExitStack) -> None:
    """Say where the host listens and how to sign in, to the person at the terminal and to the other commands."""
    url = address_of(settings.host, port)
    running = RunningHost(url=url, token=settings.token or "", pid=os.getpid())
    closers.callback(folder.announce(running))
    link = f"{settings.public_url or url}/signin?code={code}"
    if wants_json():
        click.echo(json.dumps({"url": url, "signIn": link, "pid": running.pid}))
    else:
        click.echo(f"Listening on {url}\nSign in (once): {link}")


def address_of(host: str, port: int) -> str:
    """Return the address under which this machine reaches a host that listens on *host*."""
    name = host if is_loopback(host) else "127.0.0.1"
    return f"http://[{name.strip('[]')}]:{port}" if ":" in name else f"http://{name}:{port}"
