"""Write a small working plugin for its author to go on from."""

from __future__ import annotations

import string
from importlib import resources
from pathlib import Path

from corehost.contract.errors import ConflictError, InvalidError
from corehost.contract.manifest import id_fault

# Template in templates/plugin/ → where it goes below the new folder.
_FILES = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "plugin.py.txt": "$package/__init__.py",
    "page.html.txt": "$package/templates/$package.html",
    "test_plugin.py.txt": "tests/test_$package.py",
}


def write_plugin(plugin_id: str, folder: Path) -> list[Path]:
    """Write the plugin into the new *folder* and return its files.

    Raises ``InvalidError`` for what is no plugin id, ``ConflictError`` if the folder holds anything.
    """
    if fault := id_fault(plugin_id):
        raise InvalidError(fault)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConflictError(f"{folder} is there already. Choose another NAME, or another folder with --into.")
    words = {
        "id": plugin_id,
        "package": plugin_id.replace("-", "_"),
        "name": plugin_id.replace("-", " ").title(),
    }
    return [
        _write(template, folder / string.Template(path).substitute(words), words) for template, path in _FILES.items()
    ]


def _write(template: str, file: Path, words: dict[str, str]) -> Path:
    text = resources.files("corehost.cli").joinpath("templates", "plugin", template).read_text(encoding="utf-8")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(string.Template(text).substitute(words), encoding="utf-8")
    return file
