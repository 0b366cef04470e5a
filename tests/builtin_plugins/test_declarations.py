"""What every built-in declares keeps the contract, imports nothing but public names, and needs no inline code."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

import builtin_plugins
import corehost
from corehost.contract.records import faults_of

ROOT = Path(builtin_plugins.__path__[0])
NAMES = ("core_ui", "dashboard", "analytics", "settings")
DECLARATIONS = ("manifest", "api", "routes", "messages", "stores", "hookspecs")
FROM_FLASK = {"abort", "make_response", "redirect", "render_template", "request", "Response"}


@pytest.mark.parametrize("name", NAMES)
def test_every_declaration_keeps_the_contract(name: str) -> None:
    plugin = importlib.import_module(f"builtin_plugins.{name}")

    declared = {
        kind: getattr(plugin, f"corehost_{kind}")() for kind in DECLARATIONS if hasattr(plugin, f"corehost_{kind}")
    }

    assert {kind: faults_of(value) for kind, value in declared.items() if faults_of(value)} == {}


@pytest.mark.parametrize("name", NAMES)
def test_every_method_is_documented(name: str) -> None:
    api = importlib.import_module(f"builtin_plugins.{name}").corehost_api()

    assert set(api.docs.methods) == set(api.methods)
    assert all(method.description for method in api.methods.values())


def imports() -> list[tuple[str, str, str]]:
    """Return (file, module, name) of everything that the built-ins import."""
    found = []
    for file in ROOT.rglob("*.py"):
        where = file.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                found += [(where, node.module or "", alias.name) for alias in node.names]
            elif isinstance(node, ast.Import):
                found += [(where, alias.name, "") for alias in node.names]
    return found


def test_a_builtin_imports_only_published_names_of_corehost() -> None:
    taken = [(where, module, name) for where, module, name in imports() if module.split(".")[0] == "corehost"]

    assert [one for one in taken if one[1] != "corehost" or one[2] not in corehost.__all__] == []


def test_a_builtin_takes_little_of_flask() -> None:
    assert {name for _, module, name in imports() if module == "flask"} <= FROM_FLASK


@pytest.mark.parametrize("template", sorted(ROOT.rglob("templates/*.html")), ids=lambda file: file.name)
def test_a_template_holds_no_code_or_style_that_the_policy_forbids(template: Path) -> None:
    text = template.read_text(encoding="utf-8")

    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", text)
