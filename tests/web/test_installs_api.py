"""Installation over HTTP: who may, what is answered, and how large an archive may be."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from corehost.plugins.installation.jobs import Job
from tests.web.bench import Bench

GUARD = """
@hookimpl
def corehost_authenticate(headers):
    name = headers.get("x-who")
    return UserContext(id=name, permissions=PermissionSet({"plugin:*:manage", "plugin:*:use"})) if name else None
"""
CODE = """
from corehost import Manifest, hookimpl

@hookimpl
def corehost_manifest():
    return Manifest(id="greeter", name="Greeter", version="1.0.0", description="")
"""
ANN = {"Authorization": "Basic x", "X-Who": "ann"}


@pytest.fixture
def host(bench: Bench) -> Bench:
    bench.write("guard", GUARD)
    return bench.start()


def archive(code: str = CODE, **files: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("greeter/__init__.py", code)
        for name, text in files.items():
            file.writestr(f"greeter/{name}", text)
    return packed.getvalue()


def ended(bench: Bench, answer: Any) -> Job:
    """Return the job that an answer leads to, at its end."""
    assert answer.status_code == 202, answer.text
    job_id = answer.headers["Location"].removeprefix("/api/jobs/")
    job = bench.plugins.installer.jobs.get(job_id)
    assert job.ended.wait(60)
    return job


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/plugins"),
        ("PUT", "/api/plugins/guard/version"),
        ("DELETE", "/api/plugins/guard/version"),
        ("DELETE", "/api/plugins/guard?remove=1"),
        ("GET", "/api/jobs"),
        ("GET", "/api/jobs/any"),
    ],
)
def test_only_those_who_may_install_change_what_is_installed(host: Bench, method: str, path: str) -> None:
    options = {} if method in ("GET", "DELETE") else {"json": {"source": "greeter"}}

    answer = host.ask(method, path, headers=ANN, **options)

    assert answer.status_code == 403, answer.text
    assert "plugins:install" in answer.get_json()["detail"]


def test_an_archive_is_installed_and_its_job_can_be_read(host: Bench) -> None:
    answer = host.ask("POST", "/api/plugins?name=greeter.zip", data=archive(), content_type="application/zip")

    assert ended(host, answer).error is None
    document = host.get(answer.headers["Location"]).get_json()
    assert (document["state"], document["plugin"], document["problem"]) == ("done", "greeter", None)
    (item,) = [i for i in host.get("/api/plugins/manifest").get_json()["items"] if i["id"] == "greeter"]
    assert (item["source"]["type"], item["installed"]["source"]) == ("installed", "greeter.zip")
    assert [job["id"] for job in host.get("/api/jobs").get_json()["items"]] == [document["id"]]

    removed = host.ask("DELETE", "/api/plugins/greeter?remove=1&purge=1")
    assert removed.status_code == 204


def test_what_an_upgrade_awaits_consent_for_is_listed_until_somebody_decided(host: Bench) -> None:
    def entry() -> Any:
        (found,) = [i for i in host.get("/api/plugins/manifest").get_json()["items"] if i["id"] == "greeter"]
        assert host.get("/api/plugins/greeter").get_json().get("awaits") == found.get("awaits")
        return found

    kind = "application/zip"
    ended(host, host.ask("POST", "/api/plugins?name=greeter.zip", data=archive(), content_type=kind))
    assert "awaits" not in entry()
    later = CODE.replace("1.0.0", "1.1.0").replace('description=""', 'description="", permissions=("network:fetch",)')
    path = "/api/plugins/greeter/version?name=greeter.zip"

    job = ended(host, host.ask("PUT", path, data=archive(later), content_type=kind))

    assert "waits for consent" in str(job.error)
    assert entry()["awaits"] == ["network:fetch"]
    host.ask("PUT", "/api/plugins/greeter/grants", json={"grants": {"network:fetch": True}})
    assert "awaits" not in entry()


def test_a_job_that_failed_has_a_problem(host: Bench) -> None:
    answer = host.ask("POST", "/api/plugins?name=x.zip", data=b"no archive", content_type="application/zip")

    ended(host, answer)
    document = host.get(answer.headers["Location"]).get_json()
    assert (document["state"], document["step"], document["problem"]["status"]) == ("failed", "fetching", 422)
    assert "cannot be read" in document["error"]


def test_an_archive_without_a_name_is_refused(host: Bench) -> None:
    answer = host.ask("POST", "/api/plugins", data=archive(), content_type="application/zip")

    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["path"] == "/name"


def test_archives_may_be_larger_than_other_bodies_and_not_too_large(host: Bench) -> None:
    data = archive(data="x" * 3_000_000)
    large = host.ask("POST", "/api/plugins?name=greeter.zip", data=data, content_type="application/zip")
    assert ended(host, large).error is None

    over = host.ask("POST", "/api/plugins?name=a.zip", data=b"x" * 10_000_001, content_type="application/zip")
    assert over.status_code == 413
    other = host.ask("PUT", "/api/plugins/guard/status", data=b"x" * 1_000_001, content_type="application/json")
    assert other.status_code == 413


def test_what_is_asked_for_is_in_the_audit_log(host: Bench) -> None:
    ended(host, host.ask("POST", "/api/plugins", json={"source": "/no/such/thing"}))

    host.database.audit.settle()
    entries = host.get("/api/audit").get_json()["items"]
    assert ("plugin:install", "/no/such/thing") in [(entry["action"], entry["subject"]) for entry in entries]
