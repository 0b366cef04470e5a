"""Set the peers and the load clients up in `.venv-bench`, once for each state of the files that name them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HERE = ROOT / "scripts" / "bench"
FOLDER = ROOT / ".venv-bench"

_CLIENTS = {
    "loadclient": ("loadclient.c", "options.c", "websocket.c", "protocols.c", "tally.c"),
    "httpclient": ("httpclient.c", "tally.c"),
}
_CC = ("cc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror")
_APT = {"cc": "gcc libc6-dev", "node": "nodejs", "npm": "npm", "nats-server": "nats-server", "mosquitto": "mosquitto"}
_SBIN = os.pathsep.join(("/usr/sbin", "/usr/local/sbin"))  # Debian's servers are there, out of a user's PATH


class MissingError(Exception):
    """A peer or a tool is not to be had here; the text names what would bring it."""


class Workbench:
    """What benchmarks are made with: our Python and the peers', Node's modules and the compiled load clients."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self.ours = Path(sys.executable)
        self.peers = folder / "bin" / "python"

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables for a child: it finds corehost, these benchmarks and Node's modules."""
        paths = os.pathsep.join((str(ROOT), str(HERE)))
        # What is installed has compiled code beside it, and so shall everybody here.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**inherited, "PYTHONPATH": paths, "NODE_PATH": str(self._folder / "node_modules"), **more}

    def program(self, name: str) -> str:
        """Return the path of a program of the system; raises ``MissingError`` with the line that installs it."""
        path = shutil.which(name) or shutil.which(name, path=_SBIN)
        if path is None:
            raise MissingError(f"needs {name}: sudo apt-get install -y {_APT[name]}")
        return path

    def python_peers(self) -> Path:
        """Return the Python that has the peers, after installing them if need be."""
        if not self.peers.exists():
            _run([_base_python(), "-m", "venv", "--without-pip", str(self._folder)])
        self._install("peers.txt")
        return self.peers

    def home_assistant(self) -> Path:
        """Return the Python that has Home Assistant, too."""
        self.python_peers()
        self._install("home-assistant.txt", "--no-deps")
        return self.peers

    def node(self) -> str:
        """Return Node, after installing the peers on it if need be."""
        node, npm, source = self.program("node"), self.program("npm"), HERE / "package.json"
        if self._is_new("node", [source]):
            self._folder.mkdir(exist_ok=True)
            shutil.copy(source, self._folder)
            _run([npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(self._folder)])
            self._done("node", [source])
        return node

    def client(self, name: str) -> Path:
        """Return a load client, ``loadclient`` or ``httpclient``, after compiling it if need be."""
        program = self._folder / name
        sources = [HERE / "client" / file for file in (*_CLIENTS[name], "loadclient.h")]
        if self._is_new(name, sources) or not program.exists():
            compiler = [self.program("cc"), *_CC[1:]]
            self._folder.mkdir(exist_ok=True)
            _run([*compiler, "-o", str(program), *(str(file) for file in sources if file.suffix == ".c")])
            self._done(name, sources)
        return program

    def _install(self, requirements: str, *options: str) -> None:
        source = HERE / requirements
        if self._is_new(requirements, [source]):
            pip = [_base_python(), "-m", "pip", "--python", str(self.peers), "--disable-pip-version-check", "-qq"]
            _run([*pip, "install", *options, "-r", str(source)])
            self._done(requirements, [source])

    def _is_new(self, name: str, sources: Iterable[Path]) -> bool:
        stamp = self._stamp(name)
        return not stamp.exists() or stamp.read_text(encoding="utf-8") != _digest(sources)

    def _done(self, name: str, sources: Iterable[Path]) -> None:
        self._stamp(name).write_text(_digest(sources), encoding="utf-8")

    def _stamp(self, name: str) -> Path:
        return self._folder / f"{name}.stamp"


def _base_python() -> str:
    # .venv's own Python has no pip; the one that it was made from has.
    return str(Path(sys.executable).resolve())


def _digest(sources: Iterable[Path]) -> str:
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingError(f"'{' '.join(command[:4])} …' failed: {(done.stderr or done.stdout).strip()[-300:]}")
