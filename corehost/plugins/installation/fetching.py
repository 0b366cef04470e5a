"""Get what a plugin is installed from: a folder, a file, a package by its name."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import InvalidRequirement, Requirement

from corehost.contract.errors import InvalidError, LateError, NotFoundError
from corehost.plugins.sources import MANIFEST

PIP_SECONDS = 300.0
_PROJECT = ("pyproject.toml", "setup.py")
_LOOKS_LIKE_PATH = re.compile(r"[./~\\]|[A-Za-z]:[\\/]|.*[/\\]|.*\.(whl|zip|py)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a plugin shall be installed from, as the operator named it.

    ``text`` is an absolute path or a package's requirement; with ``data`` it is the name of an archive whose bytes
    those are.
    """

    text: str
    data: bytes | None = None

    @property
    def is_address(self) -> bool:
        """Whether it lies on another machine's server; bytes that were sent do not, whatever they are called."""
        return self.data is None and is_address(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What was got: ``path`` is a package's ``folder``, one ``module``, or an archive (``zip``, ``wheel``)."""

    path: Path
    kind: Literal["folder", "module", "zip", "wheel"]


def fetch(source: Source, folder: Path) -> Fetched:
    """Get *source*, which is no address; what has to be kept for that is put into *folder*.

    Raises ``NotFoundError``, ``InvalidError`` for what cannot be a plugin, ``LateError``.
    """
    if source.data is not None:
        return _received(source.text, source.data, folder)
    if _LOOKS_LIKE_PATH.match(source.text):
        return _found(Path(source.text), folder)
    return fetch_package(source.text, folder)


def is_address(source: str) -> bool:
    """Tell whether a source is named by the address of another machine's server."""
    return re.match(r"[a-z]+://", source, re.IGNORECASE) is not None


def fetch_package(requirement: str, folder: Path) -> Fetched:
    """Have pip bring the wheel of *requirement* (PEP 508), without what it needs."""
    try:
        Requirement(requirement)
    except InvalidRequirement as error:
        text = f"{requirement!r} is neither a path nor a package's name: {str(error).splitlines()[0]}."
        raise InvalidError(text) from error
    return _built(requirement, folder)


def _received(name: str, data: bytes, folder: Path) -> Fetched:
    kind = None if is_address(name) else _kind_of(name)  # or it would be recorded as coming from there
    if kind not in ("zip", "wheel"):
        raise InvalidError(f"{name[:100]!r} is no archive: its name must end in '.whl' or '.zip'.")
    file = folder / re.sub(r"[^A-Za-z0-9._+!-]", "_", Path(name).name)[-150:]
    file.write_bytes(data)
    return Fetched(path=file, kind=kind)


def _found(path: Path, folder: Path) -> Fetched:
    if not path.is_absolute():
        raise InvalidError(f"{str(path)!r} is no absolute path, and the host's own folder is not what you mean.")
    if not path.exists():
        raise NotFoundError(f"There is nothing at {path}.")
    if path.is_file():
        if (kind := _kind_of(path.name)) is None:
            raise InvalidError(f"{path} is no plugin: a file that ends in '.whl', '.zip' or '.py', or a folder.")
        return Fetched(path=path, kind=kind)
    if (path / "__init__.py").is_file() or (path / MANIFEST).is_file():
        return Fetched(path=path, kind="folder")
    if any((path / name).is_file() for name in _PROJECT):
        return _built(str(path), folder)
    raise InvalidError(f"{path} is no plugin: it has no '__init__.py', no '{MANIFEST}' and no 'pyproject.toml'.")


def _kind_of(name: str) -> Literal["module", "zip", "wheel"] | None:
    kinds: dict[str, Literal["module", "zip", "wheel"]] = {".py": "module", ".zip": "zip", ".whl": "wheel"}
    return kinds.get(Path(name).suffix.lower())


def _built(what: str, folder: Path) -> Fetched:
    """Return the wheel that pip finds or builds of a requirement or a project's folder."""
    target = folder / "wheels"
    command = [*_pip(), "wheel", "--no-deps", "--no-input", "--disable-pip-version-check"]
    run_command([*command, "--quiet", "--wheel-dir", str(target), "--", what], what)
    wheels = list(target.glob("*.whl"))
    if len(wheels) != 1:
        raise InvalidError(f"pip made {len(wheels)} wheels of {what!r}, and one was expected.")
    return Fetched(path=wheels[0], kind="wheel")


def _pip() -> list[str]:
    """Return what runs pip for this environment; one that was made without pip borrows that of its Python."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    base: str = getattr(sys, "_base_executable", sys.executable)  # what a virtual environment was made from
    return [base, "-m", "pip", "--python", sys.executable]


def run_command(command: list[str], what: str, *, seconds: float = PIP_SECONDS) -> None:
    """Run pip; raises ``InvalidError`` with its words if it fails, ``LateError`` after *seconds*."""
    environment = {key: value for key, value in os.environ.items() if key != "COREHOST_TOKEN"}
    with subprocess.Popen(  # noqa: S603  # no shell; what the operator named stands behind "--"
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            _, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with whatever it started to build
            raise LateError(f"pip did not get {what!r} within {seconds:g} s.") from None
    if process.returncode:
        words = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
        raise InvalidError(f"pip could not get {what!r}: {' '.join(words) or said.strip()[-500:]}")
