"""`plugin new` writes a plugin that is whole, typed and formatted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from corehost.cli.skeleton import write_plugin
from corehost.contract.errors import ConflictError, InvalidError


def test_every_file_is_written_with_the_plugins_names(tmp_path: Path) -> None:
    files = write_plugin("weather-map", tmp_path / "weather-map")

    assert sorted(str(file.relative_to(tmp_path / "weather-map")) for file in files) == [
        "README.md",
        "pyproject.toml",
        "tests/test_weather_map.py",
        "weather_map/__init__.py",
        "weather_map/templates/weather_map.html",
    ]
    text = (tmp_path / "weather-map/weather_map/__init__.py").read_text(encoding="utf-8")
    assert 'id="weather-map"' in text
    assert 'name="Weather Map"' in text
    assert not any("$" in file.read_text(encoding="utf-8") for file in files)


def test_the_plugin_keeps_our_own_rules(tmp_path: Path) -> None:
    write_plugin("weather", tmp_path / "weather")

    for check in (["check"], ["format", "--check", "--line-length", "120"]):
        ruff = [sys.executable, "-m", "ruff", *check, "--isolated", "."]
        done = subprocess.run(ruff, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["Weather", "core", "a_b", "", "../up", "a" * 65])
def test_a_name_that_is_no_plugin_id_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"plugin id|reserved"):
        write_plugin(name, tmp_path / "new")

    assert not (tmp_path / "new").exists()


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")

    with pytest.raises(ConflictError, match="--into"):
        write_plugin("weather", tmp_path)

    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
