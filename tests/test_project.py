"""The project keeps its own rules: layers, lengths, public names, and documentation that says what the code does."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import corehost
from corehost.cli.exits import ExitCode
from corehost.contract import hookspecs
from corehost.settings import CONFIG_VARIABLE, SETTINGS

ROOT = Path(__file__).resolve().parent.parent
MAX_MODULE_LINES = 300
CODE = sorted(file for part in ("corehost", "builtin_plugins", "scripts") for file in (ROOT / part).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
HOOKS = sorted(
    name for name, hook in inspect.getmembers(hookspecs, inspect.isfunction) if hasattr(hook, "corehost_spec")
)


def relative(file: Path) -> str:
    return str(file.relative_to(ROOT))


def docstring_of(file: Path) -> str | None:
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.strip()


def test_imports_point_from_the_edge_to_the_contract() -> None:
    lint = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    done = subprocess.run([*lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_what_plugin_authors_import_brings_neither_flask_nor_sqlalchemy() -> None:
    heavy = "{'flask', 'werkzeug', 'sqlalchemy', 'blinker', 'click', 'gunicorn'}"

    assert python(f"import sys, corehost; print(sorted({heavy} & sys.modules.keys()))") == "[]"


@pytest.mark.parametrize("file", CODE, ids=relative)
def test_a_module_is_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_MODULE_LINES


@pytest.mark.parametrize("file", CODE, ids=relative)
def test_a_module_says_in_one_sentence_what_it_is(file: Path) -> None:
    text = docstring_of(file)

    if not file.read_text(encoding="utf-8").strip():
        assert file.name == "__init__.py"
        return
    assert text, f"{relative(file)} has no docstring"
    first = text.split("\n\n")[0]
    assert re.fullmatch(r"[^.!?].*[.!?]", first, re.DOTALL), f"Not one sentence: {first!r}"


def test_public_names_move_only_on_purpose() -> None:
    kept = (ROOT / "tests" / "public_names.txt").read_text(encoding="utf-8").split()

    assert sorted(corehost.__all__) == kept, (
        "A public name came or went: change tests/public_names.txt and CHANGELOG.md."
    )
    assert [name for name in corehost.__all__ if not hasattr(corehost, name)] == []


@pytest.mark.parametrize("name", sorted(corehost.__all__))
def test_a_public_name_is_documented(name: str) -> None:
    guide = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)

    assert re.search(rf"\b{name}\b", guide), f"{name} is explained in no page of docs/."
    value = getattr(corehost, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value), f"{name} has no docstring."


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_documented_and_tested(name: str) -> None:
    guide = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    tests = "\n".join(file.read_text(encoding="utf-8") for file in TESTS if file.name != Path(__file__).name)

    assert f"`{name}" in guide, f"docs/plugins.md does not explain {name}."
    assert inspect.getdoc(getattr(hookspecs, name)), f"{name} has no docstring."
    assert re.search(rf"\b{name}\b", tests), f"No test has a plugin that implements {name}."


def test_every_setting_is_documented_with_flag_variable_and_key() -> None:
    text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    wanted = [CONFIG_VARIABLE, "--config"]
    for setting in SETTINGS:
        wanted += [*setting.variables, *([setting.flag, f"`{setting.name}`"] if setting.flag else [])]

    assert [name for name in wanted if name not in text] == []


def test_every_exit_code_is_documented() -> None:
    text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")

    assert [code.name for code in ExitCode if f"| {code.value} | {code.meaning} |" not in text] == []


def locked() -> dict[str, tuple[Version, int]]:
    """Return each package of the lock with its version and the number of its hashes."""
    text = (ROOT / "requirements-test.txt").read_text(encoding="utf-8")
    entries = re.findall(
        r"^([\w.-]+)==(\S+)[^\n]*((?:\n    --hash=sha256:[0-9a-f]{64}(?: \\\\)?)*)", text, re.MULTILINE
    )
    return {canonicalize_name(name): (Version(version), hashes.count("--hash")) for name, version, hashes in entries}


def test_the_lock_has_what_the_project_asks_for_and_each_file_by_its_hash() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    asked = [*project["build-system"]["requires"], *project["project"]["dependencies"], *itertools.chain(*extras)]
    lock = locked()

    wrong = [
        text
        for text in asked
        for requirement in [Requirement(text)]
        for version, hashes in [lock.get(canonicalize_name(requirement.name), (Version("0"), 0))]
        if not hashes or version not in requirement.specifier
    ]
    assert not wrong, f"Not as pyproject.toml asks: {wrong}. Run scripts/lock."
    assert [name for name, (_, hashes) in lock.items() if not hashes] == []


def test_the_lock_says_what_and_not_from_where() -> None:
    text = (ROOT / "requirements-test.txt").read_text(encoding="utf-8")

    assert "://" not in text, "An index or a link in the lock would send everybody there."
    assert not re.search(r"^\s*-(?!-hash=)", text, re.MULTILINE)


def links(page: Path) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = page if not path else page.parent / path
        assert file.exists(), f"{relative(page)} links to {target}"
        assert not anchor or anchor in anchors(file), f"{relative(page)} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_file_and_test_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for path, name in re.findall(r"`((?:tests|corehost|scripts|builtin_plugins)/[\w./-]+)(?:::(\w+))?`", text):
        assert (ROOT / path).exists(), f"{relative(page)} names {path}"
        assert not name or f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), f"{relative(page)}: {name}"
