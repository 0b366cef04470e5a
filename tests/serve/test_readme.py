"""What README tells a newcomer to do works as it is printed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.serve.conftest import Serving
from tests.serve.kit import until

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return next(str(text) for text in blocks if containing in text)


def commands() -> list[list[str]]:
    """Return the arguments of each `corehost` line, and what stands behind its `#`."""
    text = block("sh", "corehost call")
    return [list(found) for found in re.findall(r"^corehost (.*?)\s+# (.*)$", text, re.MULTILINE)]


def test_the_plugin_of_readme_is_found_and_its_commands_do_what_they_say(serving: Serving) -> None:
    host = serving()
    code = block("python", "Guestbook")
    (host.folder / "plugins" / "guestbook.py").write_text(code, encoding="utf-8")
    until(lambda: host.status("guestbook") == "enabled", "guestbook enabled by itself")
    assert "0 came" in host.get("/guestbook").text
    assert "Guestbook" in host.get("/dashboard").text, "it is in the menu"

    def corehost(line: str) -> subprocess.CompletedProcess[str]:
        command = f'"{sys.executable}" -m corehost {line} --data-dir "{host.folder}"'
        return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)

    (good, shown), (bad, _), (off, _) = commands()
    assert json.loads(corehost(good).stdout) == json.loads(shown)
    assert "1 came" in host.get("/guestbook").text
    refused = corehost(bad)
    assert refused.returncode == 1
    assert "name" in refused.stderr
    assert corehost(off).returncode == 0
    assert host.get("/guestbook").status == 404


def test_the_plugin_of_readme_is_short() -> None:
    lines = [line for line in block("python", "Guestbook").splitlines() if line.strip()]

    assert len(lines) <= 25


def test_readme_names_the_two_commands_and_they_exist() -> None:
    text = block("sh", "scripts/serve.py")

    named = re.findall(r"python3 (scripts/\w+\.py)", text)
    assert named == ["scripts/serve.py", "scripts/test.py"]
    root = Path(__file__).resolve().parents[2]
    for script in named:
        done = subprocess.run([sys.executable, "-m", "py_compile", str(root / script)], check=False)
        assert done.returncode == 0
