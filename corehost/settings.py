"""What an operator can set, and where each value was found: flag, variable or file."""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from corehost import setting_values as kinds
from corehost.contract.budgets import Budget, read_budget
from corehost.contract.errors import SettingsError
from corehost.setting_values import LOG_LEVELS, Parse

CONFIG_FILE = "corehost.toml"
CONFIG_VARIABLE = "COREHOST_CONFIG"
_PREFIX = "COREHOST_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing that can be set: by ``flag``, else by a variable, else by the key ``name`` of the file.

    ``variables`` are names of environment variables, the first is the one to show. ``flag`` is ``None`` for what
    must not be seen in a list of processes; such a setting has no key either. With a ``separator`` it is a list: the
    flag may be repeated, the key holds an array.
    """

    name: str
    flag: str | None
    variables: tuple[str, ...]
    help: str
    metavar: str | None
    default: Any
    parse: Parse
    separator: str | None

    def names(self) -> str:
        """Return every way to set it, for an error's text."""
        variable = self.variables[0]
        return f"{self.flag}, {variable}, key '{self.name}'" if self.flag else variable


def _budget(value: Any) -> Budget:
    return read_budget(kinds.text(value))


_OTHER_FLAGS = {
    "budgets": "--budget",
    "allowed_hosts": "--allowed-host",
    "external_plugins": "--external-plugin",
    "trusted_proxies": "--trusted-proxy",
    "token": None,
    "oidc_client_secret": None,
    "oidc_roles": "--oidc-role",
}
_OTHER_VARIABLES = {"external_plugins": ("COREHOST_EXTERNAL_PLUGINS", "EXTERNAL_PLUGINS")}


def _setting(default: Any, parse: Parse, help: str, *, metavar: str | None = None, separator: str | None = None) -> Any:
    options = {"parse": parse, "help": help, "metavar": metavar, "separator": separator}
    return field(default=default, repr=parse is not kinds.secret, metadata=options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one host runs. Durations are in seconds; paths become absolute, as workers run in another folder."""

    host: str = _setting("127.0.0.1", kinds.host_name, "Address to listen on.", metavar="ADDRESS")
    port: int = _setting(8620, kinds.whole(0, 65_535), "Port to listen on; 0 takes a free one.", metavar="PORT")
    data_dir: Path = _setting(Path("corehost-data"), kinds.path, "Folder for all that the host keeps.", metavar="DIR")
    plugins: tuple[Path, ...] = _setting(
        (), kinds.path, "Folder with local plugins, beside the data folder's own.", metavar="DIR", separator=os.pathsep
    )
    public_url: str | None = _setting(None, kinds.origin, "Address under which browsers reach the host.", metavar="URL")
    allowed_hosts: tuple[str, ...] = _setting(
        (), kinds.host_name, "Further name under which the host may be asked for.", metavar="HOST", separator=","
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (), kinds.network, "Proxy whose X-Forwarded-For, -Proto and -Host hold.", metavar="ADDRESS", separator=","
    )
    audit_days: int = _setting(
        365, kinds.whole(1, 3_650), "How many days entries of the audit log are kept.", metavar="DAYS"
    )
    threads: int = _setting(16, kinds.whole(2, 1_024), "Threads that serve HTTP.", metavar="N")
    safe_mode: bool = _setting(False, kinds.truth, "Load only the built-in plugins.")
    reload: bool = _setting(False, kinds.truth, "Reload a plugin when its files change; for those who write it.")
    strict: bool = _setting(False, kinds.truth, "End with exit code 7 at the first fault of a plugin; for CI.")
    debug: bool = _setting(False, kinds.truth, "Serve by werkzeug and log everything; for development only.")
    token: str | None = _setting(None, kinds.secret, "An administrator's token for this run.")
    external_plugins: tuple[str, ...] = _setting(
        (), kinds.address, "Address of a plugin to fetch; listed, and off until allowed.", metavar="URL", separator=","
    )
    allow_external: bool = _setting(
        False, kinds.truth, "Run external plugins whose archives are pinned, each isolated."
    )
    external_needs: Literal["pin-or-signature", "signature"] = _setting(
        "pin-or-signature",
        kinds.one_of("pin-or-signature", "signature"),
        "What lets an external plugin run: its archive's pin or a trusted signature, or a signature in any case.",
        metavar="WHAT",
    )
    isolate: tuple[str, ...] = _setting(
        (), kinds.text, "Plugin to run in a process of its own, confined by the kernel.", metavar="ID", separator=","
    )
    log_level: str = _setting("info", kinds.level, f"Least level to log: {', '.join(LOG_LEVELS)}.", metavar="LEVEL")
    handler_deadline: float = _setting(
        30.0, kinds.seconds, "How long a message handler, or a page of an isolated plugin, may take.", metavar="SECONDS"
    )
    hook_deadline: float = _setting(
        10.0, kinds.seconds, "How long a hook of a plugin's life may take.", metavar="SECONDS"
    )
    drain_deadline: float = _setting(
        10.0, kinds.seconds, "How long requests may finish when a plugin goes.", metavar="SECONDS"
    )
    budgets: tuple[Budget, ...] = _setting(
        (),
        _budget,
        "What a plugin may do to others in a minute, such as 'errors=100'.",
        metavar="BUDGET",
        separator=",",
    )
    upgrade_trial: float = _setting(
        30.0, kinds.seconds, "How long an upgraded plugin is watched, and goes back if it fails.", metavar="SECONDS"
    )
    upgrade_errors: int = _setting(
        10, kinds.whole(0, 1_000_000), "How many errors an upgraded plugin may make in that time.", metavar="N"
    )
    quarantine_pause: float = _setting(
        30.0, kinds.seconds, "When a quarantined plugin is first tried again.", metavar="SECONDS"
    )
    leaks: bool = _setting(False, kinds.truth, "Search for what keeps unloaded plugins in memory; slow.")
    scan_interval: float = _setting(1.0, kinds.seconds, "How often plugin folders are looked at.", metavar="SECONDS")
    heartbeat: float = _setting(
        20.0,
        kinds.seconds,
        "How often idle browser sockets are pinged, and ended sessions looked for.",
        metavar="SECONDS",
    )
    session_idle: int = _setting(
        336, kinds.whole(1, 8_760), "Hours unused after which a browser is signed out.", metavar="HOURS"
    )
    session_lifetime: int = _setting(
        720, kinds.whole(1, 8_760), "Hours after which everybody signs in anew.", metavar="HOURS"
    )
    oidc_issuer: str | None = _setting(None, kinds.address, "OpenID provider that people sign in with.", metavar="URL")
    oidc_client_id: str | None = _setting(None, kinds.text, "Name of this host at the provider.", metavar="ID")
    oidc_client_secret: str | None = _setting(None, kinds.secret, "Secret of this host at the provider.")
    oidc_name_claim: str = _setting(
        "preferred_username", kinds.text, "Claim that becomes a user's name.", metavar="CLAIM"
    )
    oidc_role_claim: str = _setting("groups", kinds.text, "Claim whose values give roles.", metavar="CLAIM")
    oidc_roles: tuple[str, ...] = _setting(
        (), kinds.pair, "Role for a value of the claim; '*' for everybody.", metavar="VALUE=ROLE", separator=","
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "data_dir", self.data_dir.absolute())
        object.__setattr__(self, "plugins", tuple(folder.absolute() for folder in self.plugins))

    @property
    def plugin_folders(self) -> tuple[Path, ...]:
        """The folders that hold local plugins; the data folder's own comes first."""
        return (self.data_dir / "plugins", *self.plugins)


def _described() -> Iterator[Setting]:
    for item in dataclasses.fields(Settings):
        yield Setting(
            name=item.name,
            flag=_OTHER_FLAGS.get(item.name, f"--{item.name.replace('_', '-')}"),
            variables=_OTHER_VARIABLES.get(item.name, (f"{_PREFIX}{item.name.upper()}",)),
            default=item.default,
            **item.metadata,
        )


SETTINGS: tuple[Setting, ...] = tuple(_described())


def load_settings(flags: Mapping[str, Any], environ: Mapping[str, str], *, config: Path | None = None) -> Settings:
    """Return the settings; a flag wins over a variable, a variable over the file.

    *flags* holds raw values by setting name, ``None`` for what was not given. The file is *config*, else what
    ``COREHOST_CONFIG`` names, else ``corehost.toml`` in the data folder, where it may be missing.
    Raises ``SettingsError`` naming every fault at once.
    """
    faults: list[str] = [*_misspelt(environ)]
    given = _from_flags_and_variables(flags, environ, faults)
    data_dir = given.get("data_dir", Settings().data_dir)
    if config is None and (name := environ.get(CONFIG_VARIABLE)):
        config = Path(name)
    values = {**_from_file(data_dir, config, faults), **given}
    settings = Settings(**values)
    faults += _contradictions(settings)
    if faults:
        raise SettingsError("\n".join(faults))
    return settings


def _from_flags_and_variables(
    flags: Mapping[str, Any], environ: Mapping[str, str], faults: list[str]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        variable = next((name for name in setting.variables if environ.get(name)), None)
        if (raw := flags.get(setting.name)) not in (None, ()):
            _read(setting, raw, setting.flag or setting.name, values, faults)
        elif variable is not None:
            raw = environ[variable]
            _read(setting, raw.split(setting.separator) if setting.separator else raw, variable, values, faults)
    return values


def _from_file(data_dir: Path, named: Path | None, faults: list[str]) -> dict[str, Any]:
    file = named or data_dir / CONFIG_FILE
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if named is None and isinstance(error, FileNotFoundError):
            return {}
        faults.append(f"{file} cannot be read as TOML: {error}. Mend it, or name another with --config.")
        return {}
    if named is None and "data_dir" in document:
        faults.append(f"{file} cannot say where its own folder lies. Use --data-dir or COREHOST_DATA_DIR.")
    return _from_document(document, file, faults)


def _from_document(document: Mapping[str, Any], file: Path, faults: list[str]) -> dict[str, Any]:
    by_key = {setting.name: setting for setting in SETTINGS if setting.flag}
    values: dict[str, Any] = {}
    faults += [f"{file} has the unknown key '{k}'.{_nearest(k, by_key)}" for k in document if k not in by_key]
    for key in by_key.keys() & document.keys():
        _read(by_key[key], document[key], f"key '{key}' of {file}", values, faults)
    # A path in the file is seen from the file: it then means the same wherever the host was started.
    if "data_dir" in values:
        values["data_dir"] = file.parent / values["data_dir"]
    if "plugins" in values:
        values["plugins"] = tuple(file.parent / path for path in values["plugins"])
    return values


def _read(setting: Setting, raw: Any, where: str, values: dict[str, Any], faults: list[str]) -> None:
    try:
        values[setting.name] = _parsed_list(setting, raw) if setting.separator else setting.parse(raw)
    except ValueError as error:
        shown = "The value" if setting.parse is kinds.secret else repr(raw)
        faults.append(f"{where}: {shown} is not valid, expected is {error}. It is set by {setting.names()}.")


def _parsed_list(setting: Setting, raw: Any) -> tuple[Any, ...]:
    if isinstance(raw, str | Path) or not isinstance(raw, list | tuple):
        raise ValueError("a list")
    return tuple(setting.parse(item) for item in raw if not (isinstance(item, str) and not item.strip()))


def _misspelt(environ: Mapping[str, str]) -> Iterator[str]:
    known = {CONFIG_VARIABLE, *(name for setting in SETTINGS for name in setting.variables)}
    ours = {name.removeprefix(_PREFIX) for name in known}
    for name in sorted(environ):
        # Only what is nearly ours: a container's platform may well set variables with our prefix.
        if (
            name.startswith(_PREFIX)
            and name not in known
            and (near := _nearest(name.removeprefix(_PREFIX), ours, _PREFIX))
        ):
            yield f"There is no variable {name}.{near}"


def _nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return f" Did you mean '{prefix}{near[0]}'?" if near else ""


def _contradictions(settings: Settings) -> Iterator[str]:
    if settings.oidc_issuer and not (settings.oidc_client_id and settings.oidc_roles):
        yield (
            "Signing in with an OpenID provider needs --oidc-client-id, and --oidc-role for who may come in. "
            "Set both, or leave --oidc-issuer out."
        )
    if not is_loopback(settings.host) and settings.public_url is None:
        yield (
            f"Listening on {settings.host} lets other machines in, so the host must know its own address. "
            "Set --public-url, COREHOST_PUBLIC_URL or key 'public_url' to it, or listen on 127.0.0.1."
        )


def is_loopback(host: str) -> bool:
    """Tell whether only programs on this machine can reach *host*."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
