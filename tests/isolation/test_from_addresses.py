"""A plugin is installed from an address if it is signed or pinned, and runs isolated from its first try on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from corehost.contract.errors import ConflictError, ConsentNeededError, CorehostError, InvalidError, NotAllowedError
from corehost.plugins.installation.fetching import Source
from corehost.plugins.installation.jobs import Job
from corehost.plugins.plans import Step
from corehost.plugins.signing.keys import PrivateKey, new_private
from corehost.plugins.signing.signature import SIGNATURE, hash_of, sign_files
from corehost.plugins.signing.signer import pack
from tests.files import FileServer
from tests.plugins.workshop import Workshop

WAIT = 120.0
BY = "user:admin"
CODE = """
import os
import socket
from corehost import ApiSpec, Method, hookimpl

try:  # tells the canary where this code runs; an isolated process cannot
    socket.create_connection(("127.0.0.1", {canary}), 5).close()
except OSError:
    pass
"""
API = """
@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={{"where": Method(handler=lambda _, __: [os.getpid(), {version!r}])}})
"""


class Canary:
    """Hears whoever connects, which only code in a process that is not isolated can."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.heard = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                self._socket.accept()[0].close()
            except OSError:
                return
            self.heard += 1


class Shop(FileServer):
    """A server of plugins on this machine."""

    def __init__(self, canary: Canary, key: PrivateKey) -> None:
        super().__init__()
        self._canary = canary
        self._key = key
        self.address = f"{self.url}/clock"

    def members(self, version: str, *permissions: str) -> dict[str, bytes]:
        document = {"id": "far-clock", "name": "Far clock", "version": version, "description": ""}
        manifest = json.dumps({**document, "permissions": permissions}).encode()
        code = CODE + API if "api:expose" in permissions else CODE
        return {
            "manifest.json": manifest,
            "__init__.py": code.format(version=version, canary=self._canary.port).encode(),
        }

    def offer(self, version: str, *permissions: str, is_signed: bool = True) -> str:
        """Offer a version, and return its pin."""
        members = self.members(version, *permissions)
        if is_signed:
            hashes = {name: hash_of(content) for name, content in members.items()}
            signature = sign_files(self._key, plugin="far-clock", version=version, hashes=hashes)
            members[SIGNATURE] = signature.to_bytes()
        data = pack(members)
        self.files["/clock/manifest.json"] = members["manifest.json"]
        self.files[f"/clock/far-clock-{version}.zip"] = data
        return f"#sha256={hashlib.sha256(data).hexdigest()}"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    return new_private(tmp_path_factory.mktemp("keys") / "ann")


@pytest.fixture
def canary() -> Iterator[Canary]:
    made = Canary()
    yield made
    made.close()


@pytest.fixture
def shop(canary: Canary, key: PrivateKey) -> Iterator[Shop]:
    made = Shop(canary, key)
    yield made
    made.close()


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """A host that allows plugins from elsewhere, not started."""
    made = Workshop(tmp_path)
    made.stop()
    made.build(allow_external=True, allow_loopback_http=True, trial_seconds=0.2)
    yield made
    made.stop()


def done(job: Job) -> None:
    assert job.ended.wait(WAIT)
    if job.error is not None:
        raise job.error


def trust(workshop: Workshop, key: PrivateKey) -> None:
    plugins = workshop.plugins
    plugins.elsewhere.trust(str(key.public), "Ann", by=BY, lifecycle=plugins.lifecycle)


def test_a_signed_plugin_is_installed_upgraded_and_taken_back_without_ever_running_here(
    workshop: Workshop, shop: Shop, canary: Canary, key: PrivateKey
) -> None:
    installer = workshop.start().installer
    trust(workshop, key)
    shop.offer("1.0.0", "api:expose")
    source = Source(text=shop.address)

    with pytest.raises(ConsentNeededError, match=r"asks for api:expose.*corehost plugin consent far-clock"):
        done(installer.install(source))
    assert workshop.registry.find("far-clock") is None
    workshop.plugins.grants.decide("far-clock", {"api:expose": True}, by=BY)
    assert [grant.granted for grant in workshop.plugins.grants.describe("far-clock")] == [True]
    done(installer.install(source))

    plugin = workshop.registry.get("far-clock")
    assert plugin.proof is not None
    assert plugin.proof.text == f"Signed by Ann with the key {key.public.id}, which this host trusts."
    assert plugin.origin.to_json() == {"type": "external", "url": shop.address}
    assert workshop.call("far-clock", "where")[0] != os.getpid()

    shop.offer("2.0.0", "api:expose", "network:fetch")
    plan = installer.plan_upgrade("far-clock")
    assert plan.upgrade == Step(before="1.0.0", after="2.0.0")
    assert (plan.unload, plan.permissions) == (("far-clock",), {"far-clock": ("network:fetch",)})
    assert "asks for network:fetch" in plan.obstacles[0]
    assert "could not be compared" in plan.warnings[0]
    with pytest.raises(ConsentNeededError, match=r"asks for network:fetch\."):
        done(installer.upgrade("far-clock"))
    workshop.plugins.grants.decide("far-clock", {"network:fetch": False}, by=BY)
    done(installer.upgrade("far-clock"))
    assert workshop.call("far-clock", "where")[1] == "2.0.0"

    shop.offer("1.5.0", "api:expose")
    with pytest.raises(ConflictError, match=r"1\.5\.0 is older"):
        done(installer.upgrade("far-clock"))
    done(installer.rollback("far-clock"))
    pid, version = workshop.call("far-clock", "where")
    assert (pid != os.getpid(), version) == (True, "1.0.0")
    done(installer.remove("far-clock", purge=True))
    assert not (workshop.data / "installed" / "far-clock").exists()
    assert canary.heard == 0


def test_what_was_changed_on_the_disk_is_refused_and_what_nobody_stands_for_ends(
    workshop: Workshop, shop: Shop, key: PrivateKey
) -> None:
    plugins = workshop.start()
    trust(workshop, key)
    shop.offer("1.0.0")
    done(plugins.installer.install(Source(text=shop.address)))
    plugin = workshop.registry.get("far-clock")
    assert plugin.origin.path is not None
    archive = plugin.origin.path.with_name("far_clock.zip")
    whole = archive.read_bytes()

    archive.write_bytes(pack({**shop.members("1.0.0"), "__init__.py": b"evil = 1"}))
    with pytest.raises(CorehostError, match="is not signed"):
        plugins.lifecycle.reload("far-clock")
    assert plugin.status == "enabled"
    plugins.lifecycle.disable("far-clock")
    with pytest.raises(NotAllowedError, match="is not signed"):
        plugins.lifecycle.enable("far-clock")
    archive.write_bytes(whole)
    (plugin.origin.path / "__init__.py").write_text("raise SystemExit('evil')")
    (plugin.origin.path / "evil.py").touch()
    plugins.lifecycle.enable("far-clock")
    assert not (plugin.origin.path / "evil.py").exists()

    plugins.elsewhere.forget("Ann", by=BY, lifecycle=plugins.lifecycle)
    plugins.lifecycle.change(lambda: None)  # what was asked for before is done
    assert plugin.line is None
    assert f"corehost key trust {key.public}" in workshop.error("far-clock")
    trust(workshop, key)
    plugins.lifecycle.change(lambda: None)
    assert workshop.status("far-clock") == "enabled"

    workshop.restart(allow_external=False)
    assert "--allow-external" in workshop.error("far-clock")
    shutil.rmtree(plugin.origin.path)  # as a power cut while it is unpacked may leave it
    plugin.origin.path.with_name("far_clock.new").mkdir()
    workshop.restart(allow_external=True, external_needs="signature")
    assert workshop.status("far-clock") == "enabled"


def test_in_place_of_a_plugin_of_this_process_it_runs_isolated_too(
    workshop: Workshop, shop: Shop, canary: Canary, tmp_path: Path
) -> None:
    installer = workshop.start().installer
    folder = tmp_path / "far_clock"
    folder.mkdir()
    for name, content in shop.members("1.0.0", "api:expose").items():
        (folder / name).write_bytes(content.replace(str(canary.port).encode(), b"9"))
    done(installer.install(Source(text=str(folder))))
    assert workshop.call("far-clock", "where")[0] == os.getpid()
    pin = shop.offer("2.0.0", "api:expose", is_signed=False)

    with pytest.raises(ConsentNeededError, match="api:expose"):  # which it had for lying in a folder
        done(installer.upgrade("far-clock", Source(text=f"{shop.address}{pin}")))
    workshop.plugins.grants.decide("far-clock", {"api:expose": True}, by=BY)
    done(installer.upgrade("far-clock", Source(text=f"{shop.address}{pin}")))

    pid, version = workshop.call("far-clock", "where")
    assert (pid != os.getpid(), version, canary.heard) == (True, "2.0.0", 0)
    proof = workshop.registry.get("far-clock").proof
    assert proof is not None
    assert proof.text.startswith("Its archive has the pinned hash. Nobody")
    with pytest.raises(NotAllowedError, match="is not signed, and has no pin"):
        done(installer.upgrade("far-clock"))


@pytest.mark.parametrize(
    ("address", "error", "text"),
    [
        ("{shop}", NotAllowedError, "is signed by the key .* which this host does not trust"),
        ("{shop}#sha256=1", InvalidError, "is no pin"),
        (f"{{shop}}#sha256={'0' * 64}", InvalidError, "not the pinned"),
        ("http://10.0.0.1/clock", NotAllowedError, "not a public address"),
        ("https://169.254.169.254/clock", NotAllowedError, "not a public address"),
        ("https://[::ffff:10.0.0.1]/clock", NotAllowedError, "not a public address"),
        ("ftp://127.0.0.1/clock", NotAllowedError, "must begin with https"),
        ("file:///etc/passwd", InvalidError, "is no address"),
        ("far-clock @ {shop}/far-clock-1.0.0.zip", InvalidError, "no absolute path"),
    ],
)
def test_what_is_not_believed_is_refused_before_it_is_tried(
    workshop: Workshop, shop: Shop, address: str, error: type[Exception], text: str
) -> None:
    shop.offer("1.0.0")
    installer = workshop.start().installer

    with pytest.raises(error, match=text):
        done(installer.install(Source(text=address.format(shop=shop.address))))

    assert workshop.registry.find("far-clock") is None
    assert not list((workshop.data / "installed").glob("*/record.json"))


def test_where_they_are_not_allowed_nothing_is_asked_of_the_server(workshop: Workshop) -> None:
    installer = workshop.start(allow_external=False).installer

    with pytest.raises(NotAllowedError, match="--allow-external"):
        done(installer.install(Source(text="https://plugins.invalid/clock#sha256=" + "0" * 64)))


def test_bytes_that_are_named_like_an_address_are_not_taken_for_what_lies_there(workshop: Workshop, shop: Shop) -> None:
    installer = workshop.start().installer

    with pytest.raises(InvalidError, match="is no archive"):
        done(installer.install(Source(text=f"{shop.address}.zip", data=pack(shop.members("1.0.0")))))
