"""What a plugin can be installed from, and what is refused before any of it runs."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corehost import CorehostError
from corehost.plugins.archives import MAX_MEMBERS
from corehost.plugins.external import MAX_ARCHIVE
from corehost.plugins.installation.fetching import Source, fetch
from corehost.plugins.installation.unpacking import Package, unpack_fetched
from tests.plugins.workshop import Workshop

Unpack = Callable[..., Package]
MANIFEST = '{"id": "weather-map", "name": "Weather", "version": "1.0.0", "description": ""}'
CODE = """
from corehost import Manifest, hookimpl
from weather_map_plugin.words import TEXT

@hookimpl
def corehost_manifest():
    return Manifest(id="weather-map", name=TEXT, version="1.0.0", description="")
"""


@pytest.fixture
def unpack(tmp_path: Path) -> Unpack:
    """Fetch and unpack a source, as an installation does before it runs anything."""

    def run(text: str | Path, data: bytes | None = None) -> Package:
        folder = tmp_path / f"staging-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return unpack_fetched(fetch(Source(text=str(text), data=data), folder), folder / "code")

    return run


def wheel(folder: Path, *, name: str = "weather_map_plugin-1.0.0-py3-none-any.whl", **options: Any) -> Path:
    """Write a wheel by hand: *requires*, *python*, *points* (its entry points), and further *files*."""
    metadata = "Metadata-Version: 2.1\nName: weather-map-plugin\nVersion: 1.0.0\n"
    metadata += "".join(f"Requires-Dist: {text}\n" for text in options.get("requires", ()))
    metadata += f"Requires-Python: {options['python']}\n" if "python" in options else ""
    points = options.get("points", "[corehost.plugins]\nweather-map = weather_map_plugin\n")
    files = {
        "weather_map_plugin/__init__.py": CODE,
        "weather_map_plugin/words.py": "TEXT = 'Weather'\n",
        "weather_map_plugin-1.0.0.dist-info/METADATA": metadata,
        "weather_map_plugin-1.0.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "weather_map_plugin-1.0.0.dist-info/entry_points.txt": points,
        "weather_map_plugin-1.0.0.dist-info/RECORD": "",
        **options.get("files", {}),
    }
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return folder / name


def zipped(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_a_folder_gets_the_name_of_its_manifest(unpack: Unpack, tmp_path: Path) -> None:
    folder = tmp_path / "weather-map-1.0.0"
    (folder / "templates").mkdir(parents=True)
    (folder / "manifest.json").write_text(MANIFEST)
    (folder / "__init__.py").touch()
    (folder / "templates" / "page.html").touch()
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "old.pyc").touch()
    (folder / ".git").mkdir()
    (folder / ".git" / "config").touch()

    package = unpack(folder)

    assert (package.entry, package.plugin_id, package.module) == ("weather_map", "weather-map", None)
    found = {str(path.relative_to(package.folder)) for path in package.folder.rglob("*") if path.is_file()}
    assert found == {f"weather_map/{name}" for name in ("manifest.json", "__init__.py", "templates/page.html")}


@pytest.mark.parametrize(
    "files",
    [
        {"manifest.json": MANIFEST, "__init__.py": ""},
        {"weather-map-1.0.0/manifest.json": MANIFEST, "weather-map-1.0.0/__init__.py": ""},
        {"weather_map/__init__.py": ""},
        {"__init__.py": ""},
    ],
)
def test_a_zip_holds_the_plugin_at_its_root_or_in_its_one_folder(
    unpack: Unpack, tmp_path: Path, files: dict[str, str]
) -> None:
    package = unpack(zipped(tmp_path / "weather-map-1.0.0.zip", files))

    assert (package.entry, package.plugin_id) == ("weather_map", "weather-map")
    assert (package.folder / "weather_map" / "__init__.py").is_file()


def test_a_single_file_is_a_plugin(unpack: Unpack, tmp_path: Path) -> None:
    (tmp_path / "weather-map.py").write_text("x = 1")

    assert unpack(tmp_path / "weather-map.py").entry == "weather_map.py"


def test_an_archive_may_be_sent(unpack: Unpack, tmp_path: Path) -> None:
    data = zipped(tmp_path / "a.zip", {"weather_map/__init__.py": ""}).read_bytes()

    assert unpack("../../weather map.zip", data).plugin_id == "weather-map"


def test_a_wheel_says_what_it_is(unpack: Unpack, tmp_path: Path) -> None:
    package = unpack(wheel(tmp_path / "wheels", requires=("flask>=3", 'winloop; sys_platform == "win32"')))

    assert (package.name, package.module, package.entry) == ("weather_map", "weather_map_plugin", "weather_map_plugin")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"requires": ("flask<1", "no-such-package>=2")}, r"'flask' must be <1.*'no-such-package' is not installed"),
        ({"requires": ("not a requirement!",)}, "no requirement"),
        ({"python": ">=4"}, "Needs Python >=4"),
        ({"points": ""}, "found: none"),
        ({"points": "[corehost.plugins]\na = x\nb = y\n"}, "found: a, b"),
        ({"points": "[corehost.plugins]\na = package.module\n"}, "at the wheel's root"),
        ({"points": "[corehost.plugins]\na = elsewhere\n"}, "no module 'elsewhere'"),
        ({"points": "[corehost.plugins]\na = flask\n", "files": {"flask/__init__.py": ""}}, "is installed in this"),
        ({"name": "weather_map_plugin-1.0.0-cp27-none-win32.whl"}, "another Python or system"),
        ({"name": "weather.whl"}, "no wheel's name"),
    ],
)
def test_a_wheel_that_does_not_fit_is_refused(
    unpack: Unpack, tmp_path: Path, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(CorehostError, match=reason):
        unpack(wheel(tmp_path / "wheels", **options))


def test_links_are_refused_in_folders_and_archives(unpack: Unpack, tmp_path: Path) -> None:
    folder = tmp_path / "weather_map"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "passwords").symlink_to("/etc/passwd")
    with pytest.raises(CorehostError, match="is a link"):
        unpack(folder)
    (folder / "passwords").unlink()
    (folder / "all").symlink_to("/etc", target_is_directory=True)
    with pytest.raises(CorehostError, match="is a link"):
        unpack(folder)

    link = zipfile.ZipInfo("weather_map/passwords")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "links.zip", "w") as archive:
        archive.writestr("weather_map/__init__.py", "")
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(CorehostError, match="link or a device"):
        unpack(tmp_path / "links.zip")


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil.py", "weather_map/../../evil.py", "a\\..\\b.py"])
def test_paths_that_lead_out_are_refused(unpack: Unpack, tmp_path: Path, name: str) -> None:
    with pytest.raises(CorehostError, match=r"leads elsewhere|cannot be used"):
        unpack(zipped(tmp_path / "weather_map.zip", {"weather_map/__init__.py": "", name: ""}))


def test_what_is_too_much_is_refused(unpack: Unpack, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    (many / "__init__.py").touch()
    for number in range(MAX_MEMBERS):
        (many / f"f{number}.txt").touch()
    with pytest.raises(CorehostError, match="files"):
        unpack(many)

    large = tmp_path / "large"
    large.mkdir()
    (large / "__init__.py").touch()
    with (large / "data.bin").open("wb") as file:
        file.truncate(60_000_000)
    with pytest.raises(CorehostError, match="bytes"):
        unpack(large)
    with pytest.raises(CorehostError, match="at most"):
        unpack("weather_map.zip", b"x" * (MAX_ARCHIVE + 1))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/no/such/folder", "nothing at"),
        ("relative/folder", "no absolute path"),
        ("https://plugins.example/clock", "https"),
        ("not a package!", "neither a path nor a package"),
        ("--index-url=https://evil.example/ x", "neither a path nor a package|no absolute path"),
    ],
)
def test_what_is_no_source_is_refused(unpack: Unpack, text: str, reason: str) -> None:
    with pytest.raises(CorehostError, match=reason):
        unpack(text)


def test_a_folder_that_is_no_plugin_is_refused(unpack: Unpack, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "picture.png").touch()

    for path in ("empty", "picture.png"):
        with pytest.raises(CorehostError, match="is no plugin"):
            unpack(tmp_path / path)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels in place of the package index, by pip's own settings."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    return tmp_path / "wheels"


def test_a_package_is_fetched_by_its_name(unpack: Unpack, index: Path) -> None:
    wheel(index)

    assert unpack("weather-map-plugin>=1").plugin_id == "weather-map"
    with pytest.raises(CorehostError, match="pip could not get 'weather-map-plugin>=2'"):
        unpack("weather-map-plugin>=2")


def test_a_project_is_built_to_a_wheel_first(unpack: Unpack, index: Path, tmp_path: Path) -> None:
    made = wheel(index)
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "weather-map-plugin"\nversion = "1.0.0"\n'
    )
    (project / "backend.py").write_text(
        "import shutil\ndef build_wheel(folder, *_, **__):\n"
        f"    shutil.copy({str(made)!r}, folder)\n    return {made.name!r}\n"
    )

    assert unpack(project).module == "weather_map_plugin"


def test_an_installed_wheel_may_import_itself_by_its_own_name(workshop: Workshop, tmp_path: Path) -> None:
    installer = workshop.start().installer
    job = installer.install(Source(text=str(wheel(tmp_path / "wheels"))))

    assert job.ended.wait(60)
    assert job.error is None, job.error
    assert workshop.status("weather-map") == "enabled"
    assert workshop.registry.get("weather-map").import_name == "weather_map_plugin"
    workshop.restart()
    assert workshop.status("weather-map") == "enabled"
