"""A wheel built from the checkout serves all built-in plugins in an environment of its own, away from the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.serve.kit import Served

ROOT = Path(__file__).resolve().parents[2]
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
SOURCES = ("corehost", "builtin_plugins", "pyproject.toml", "setup.cfg", "README.md", "LICENSE")


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # a copy, as building leaves files in the checkout
    source.mkdir()
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source / name)
    run(sys.executable, "-W", "ignore", "-c", BUILD, folder, cwd=source)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a new environment that has the wheel, and finds what it needs where our own lies."""
    folder = tmp_path_factory.mktemp("elsewhere")
    starter = getattr(sys, "_base_executable", sys.executable)
    run(starter, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    pip = (starter, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    # Not installed anew, as that would need the network. A path file inside of it is not obeyed, so our editable
    # checkout stays out.
    (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    return python


def test_the_wheel_holds_what_is_no_code_and_nothing_of_the_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert "corehost/py.typed" in names
    for folder in ("corehost", "builtin_plugins"):
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and file.suffix != ".pyc":
                assert str(file.relative_to(ROOT)) in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"corehost", "builtin_plugins"}


def test_the_installed_wheel_serves_all_built_in_plugins(environment: Path, tmp_path: Path) -> None:
    where = run(environment, "-c", "import corehost, builtin_plugins; print(corehost.__file__)", cwd=tmp_path)
    assert str(environment.parent.parent) in where
    assert run(environment.parent / "corehost", "--version", cwd=tmp_path).startswith("corehost, version")

    host = Served(tmp_path / "data", python=str(environment), PYTHONPATH="").ready()
    try:
        plugins = ("core-ui", "dashboard", "analytics", "settings")
        assert {name: host.status(name) for name in plugins} == dict.fromkeys(plugins, "enabled")
        for path in ("/dashboard", "/analytics", "/settings/plugins", "/docs", "/static/corehost/corehost.js"):
            assert host.get(path).status == 200, path
        page = host.get("/dashboard").text
        assert "<html" in page
        assert "core-ui" in page
    finally:
        host.kill()
