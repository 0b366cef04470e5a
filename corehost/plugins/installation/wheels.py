"""Read what a wheel says of itself, and whether this environment suffices for it."""

from __future__ import annotations

import configparser
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from corehost.contract.errors import Fault, InvalidError
from corehost.plugins.manifests import package_problem
from corehost.plugins.sources import ENTRY_POINTS, MANIFEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """An unpacked wheel.

    ``name`` is the one of its entry point, ``module`` its module; ``requires`` are the Python packages that it needs
    (PEP 508).
    """

    name: str
    module: str
    requires: tuple[str, ...]


def require_fitting(file_name: str) -> None:
    """Raise ``InvalidError`` unless the wheel of this name (PEP 427) is one for this Python on this system."""
    try:
        tags = parse_wheel_filename(file_name)[3]
    except InvalidWheelFilename as error:
        raise InvalidError(f"{file_name!r} is no wheel's name, such as 'clock-1.0.0-py3-none-any.whl'.") from error
    if tags.isdisjoint(sys_tags()):
        listed = ", ".join(sorted(map(str, tags)))
        raise InvalidError(f"The wheel {file_name!r} is for another Python or system ({listed}). Get the one for this.")


def read_wheel(folder: Path) -> Wheel:
    """Return what the wheel unpacked in *folder* says of itself.

    Raises ``InvalidError`` if it holds no plugin, or more than one; and with every package that is missing or has the
    wrong version here, so that nothing is changed then.
    """
    infos = list(folder.glob("*.dist-info"))
    if len(infos) != 1:
        raise InvalidError(f"The wheel has {len(infos)} '.dist-info' folders, and one was expected.")
    metadata = BytesParser().parsebytes((infos[0] / "METADATA").read_bytes() if _has(infos[0]) else b"")
    name, module = _entry_point(infos[0], folder)
    requires = tuple(metadata.get_all("Requires-Dist") or ())
    require_packages(str(metadata.get("Name", name)), requires, tuple(_python_faults(metadata)))
    return Wheel(name=name, module=module, requires=requires)


def require_packages(what: str, requires: tuple[str, ...], faults: tuple[Fault, ...] = ()) -> None:
    """Raise ``InvalidError`` naming every one of *requires* that this environment does not meet."""
    problems = [(text, package_problem(text)) for text in requires]
    found = [Fault(path=f"/requires/{text}", message=problem) for text, problem in problems if problem]
    if found or faults:
        text = f"The Python packages of this host do not suffice for {what!r}. Nothing was changed."
        raise InvalidError(text, [*faults, *found])


def _has(info: Path) -> bool:
    return (info / "METADATA").is_file()


def _python_faults(metadata: Message) -> Iterator[Fault]:
    wanted = metadata.get("Requires-Python")
    try:
        is_met = wanted is None or SpecifierSet(str(wanted)).contains(Version(_python()), prereleases=True)
    except InvalidSpecifier:
        is_met = True  # pip would not mind either
    if not is_met:
        yield Fault(path="/requires/python", message=f"Needs Python {wanted}; this is {_python()}.")


def _python() -> str:
    return platform.python_version()


def _entry_point(info: Path, folder: Path) -> tuple[str, str]:
    """Return name and module of the plugin: its entry point, or the one package that has a manifest beside it."""
    parser = configparser.ConfigParser(delimiters=("=",), strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their capitals
    file = info / "entry_points.txt"
    try:
        parser.read_string(file.read_text(encoding="utf-8") if file.is_file() else "")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise InvalidError(f"The wheel's 'entry_points.txt' cannot be read: {error}.") from error
    points = parser.items(ENTRY_POINTS) if parser.has_section(ENTRY_POINTS) else []
    if not points:
        points = [(path.parent.name, path.parent.name) for path in folder.glob(f"*/{MANIFEST}")]
    if len(points) != 1:
        found = ", ".join(name for name, _ in points) or "none"
        raise InvalidError(f"The wheel must announce one plugin under {ENTRY_POINTS!r}; found: {found}.")
    name, module = points[0][0].strip(), points[0][1].strip()
    if not module.isidentifier():
        raise InvalidError(f"The entry point {name!r} names {module!r}. It must name a module at the wheel's root.")
    return name, module
