"""Install, upgrade, roll back and remove on a host in memory; versions are tried in real processes."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from corehost import ConflictError, CorehostError, Manifest, NotFoundError
from corehost.contract.records import to_json
from corehost.plugins.installation.candidate import Candidate
from corehost.plugins.installation.fetching import Source
from corehost.plugins.installation.jobs import Job
from corehost.plugins.plans import Step
from corehost.plugins.registry import Plugin
from tests.plugins.workshop import Workshop, needs

METHODS = """
    @hookimpl
    def corehost_api():
        def total(input, context):
            return storage.get("total")
        return ApiSpec(version="1.0.0", methods={"total": Method(handler=total)})
"""
COUNTER = f"""{METHODS}
    @hookimpl
    def corehost_setup(context):
        global storage
        storage = context.storage
        storage.set("total", (storage.get("total") or 0) + %s)
"""
PERMISSIONS = ("api:expose", "storage:read", "storage:write")
PATIENCE = 60.0


class Shop:
    """A workshop whose plugins are installed from a folder beside it."""

    def __init__(self, workshop: Workshop, folder: Path) -> None:
        self.workshop = workshop
        self.sources = folder / "sources"

    def package(self, plugin_id: str, version: str, body: str = "", *, beside: bool = False, **manifest: Any) -> Path:
        """Write a version of a plugin as a folder and return it; *beside* writes its manifest as a file."""
        module = plugin_id.replace("-", "_")
        folder = self.sources / version / module
        folder.mkdir(parents=True)
        text = self.workshop.source(plugin_id, body, version=version, **manifest)
        (folder / "__init__.py").write_text(text)
        if beside:
            values = {"id": plugin_id, "name": plugin_id.title(), "version": version, "description": "", **manifest}
            (folder / "manifest.json").write_text(json.dumps(to_json(Manifest(**values))))
        return folder

    def counter(self, version: str, step: int = 1, **manifest: Any) -> Path:
        """Write a plugin that adds *step* to a total in its storage at each setup, and tells it."""
        return self.package("counter", version, COUNTER % step, permissions=PERMISSIONS, **manifest)

    def done(self, job: Job) -> Job:
        assert job.ended.wait(PATIENCE), job.to_json()
        if job.error is not None:
            raise job.error
        return job

    def reached(self, job: Job, step: str) -> Job:
        end = time.monotonic() + PATIENCE
        while job.step != step and not job.ended.wait(0.02):
            assert time.monotonic() < end, job.to_json()
        return job

    def install(self, path: Path | str, **options: Any) -> Job:
        return self.done(self.workshop.plugins.installer.install(Source(text=str(path)), **options))

    def upgrade(self, plugin_id: str, path: Path | str, **options: Any) -> Job:
        return self.done(self.workshop.plugins.installer.upgrade(plugin_id, Source(text=str(path)), **options))

    def version(self, plugin_id: str) -> str:
        return self.workshop.registry.get(plugin_id).version

    def installed(self) -> list[str]:
        """Return all files and folders of installed plugins, to see that nothing is left."""
        folder = self.workshop.data / "installed"
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rehearse without coverage: it doubles the time of a process that ends before anything measured is kept."""
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def shop(workshop: Workshop, tmp_path: Path) -> Shop:
    workshop.start(trial_seconds=0.5)
    return Shop(workshop, tmp_path)


def total(workshop: Workshop) -> Any:
    return workshop.call("counter", "total")


def test_a_folder_is_installed_and_still_there_after_a_restart(shop: Shop, workshop: Workshop) -> None:
    job = shop.install(shop.counter("1.0.0"))

    assert (job.plugin_id, job.version, job.state) == ("counter", "1.0.0", "done")
    assert workshop.status("counter") == "enabled"
    assert total(workshop) == 1  # the rehearsal worked on a copy
    workshop.restart()
    assert workshop.status("counter") == "enabled"
    assert total(workshop) == 2


def test_an_upgrade_keeps_the_storage_and_passes_its_trial(shop: Shop, workshop: Workshop) -> None:
    shop.install(shop.counter("1.0.0"))

    job = shop.upgrade("counter", shop.counter("1.1.0", step=10))

    assert (job.replaced, job.version) == ("1.0.0", "1.1.0")
    assert total(workshop) == 11
    workshop.restart()
    assert shop.version("counter") == "1.1.0"


def test_a_version_that_fails_in_its_rehearsal_changes_nothing(shop: Shop, workshop: Workshop) -> None:
    shop.install(shop.counter("1.0.0"))
    before = shop.installed()

    for version, body, reason in (
        ("2.0.0", "import nothing_of_this_name", "nothing_of_this_name"),
        ("2.0.1", "@hookimpl\ndef corehost_selftest(context): raise RuntimeError('no disk attached')", "no disk"),
        ("2.0.2", "@hookimpl\ndef corehost_setup(context): raise RuntimeError('set up wrongly')", "set up wrongly"),
        ("2.0.3", "import os\nos._exit(3)", "ended the process"),
        ("2.0.4", "@hookimpl\ndef corehost_stores(): return 3", "StoresSpec"),
    ):
        with pytest.raises(CorehostError, match=reason):
            shop.upgrade("counter", shop.package("counter", version, body))

    assert workshop.status("counter") == "enabled"
    assert shop.version("counter") == "1.0.0"
    assert total(workshop) == 1
    assert shop.installed() == before


ONLY_IN_THE_HOST = f"""{METHODS}
    import os

    @hookimpl
    def corehost_setup(context):
        context.storage.set("total", -1)
        if os.getpid() == %d:
            raise RuntimeError("not in this process")
"""


def test_a_setup_that_fails_only_in_the_host_brings_the_old_version_and_its_storage_back(
    shop: Shop, workshop: Workshop
) -> None:
    shop.install(shop.counter("1.0.0"))
    shop.install(shop.package("reader", "1.0.0", dependencies=needs("counter")))

    code = ONLY_IN_THE_HOST % os.getpid()

    with pytest.raises(CorehostError, match="not in this process"):
        shop.upgrade("counter", shop.package("counter", "2.0.0", code, permissions=PERMISSIONS))

    assert (workshop.status("counter"), shop.version("counter")) == ("enabled", "1.0.0")
    assert workshop.status("reader") == "enabled"
    assert total(workshop) == 2  # set up anew, on the total that it had
    workshop.restart()
    assert (shop.version("counter"), total(workshop)) == ("1.0.0", 3)


ERRORS = """
    @hookimpl
    def corehost_setup(context):
        context.storage.set("total", -1)
        def fail():
            raise RuntimeError("works no more")
        context.every(0.01, fail)
"""


def test_errors_in_its_first_seconds_bring_the_old_version_and_its_storage_back(shop: Shop, workshop: Workshop) -> None:
    heard: list[Any] = []
    workshop.restart(trial_seconds=60.0, trial_errors=3)
    workshop.bus.subscribe("core:plugin:*", heard.append, owner="core")
    shop.done(workshop.plugins.installer.install(Source(text=str(shop.counter("1.0.0")))))

    with pytest.raises(CorehostError, match="at most 3 are allowed; the last: RuntimeError: works no more"):
        shop.upgrade("counter", shop.package("counter", "2.0.0", ERRORS, permissions=PERMISSIONS))

    assert (workshop.status("counter"), shop.version("counter"), total(workshop)) == ("enabled", "1.0.0", 2)
    workshop.bus.drain()
    returned = next(message for message in heard if message.type == "core:plugin:returned")
    assert (returned.payload["version"], returned.payload["failed"]) == ("1.0.0", "2.0.0")
    described = workshop.plugins.installer.describe("counter")
    assert described is not None
    assert "works no more" in described["last"]["error"]


def test_a_plugin_on_trial_is_left_alone_but_for_a_rollback(shop: Shop, workshop: Workshop) -> None:
    workshop.restart(trial_seconds=300.0)
    shop.install(shop.counter("1.0.0"))
    installer = workshop.plugins.installer
    trial = shop.reached(installer.upgrade("counter", Source(text=str(shop.counter("2.0.0", step=10)))), "watching")
    assert total(workshop) == 11

    with pytest.raises(ConflictError, match="on trial"):
        installer.remove("counter")
    shop.done(installer.rollback("counter"))

    assert trial.ended.wait(PATIENCE)
    assert trial.state == "failed"
    assert (shop.version("counter"), total(workshop)) == ("1.0.0", 2)


def test_the_trial_goes_on_after_a_restart(shop: Shop, workshop: Workshop) -> None:
    workshop.restart(trial_seconds=300.0)
    shop.install(shop.counter("1.0.0"))
    installer = workshop.plugins.installer
    shop.reached(installer.upgrade("counter", Source(text=str(shop.counter("2.0.0", step=10)))), "watching")

    workshop.restart()

    assert (shop.version("counter"), total(workshop)) == ("2.0.0", 21)
    job = workshop.plugins.installer.jobs.of("counter")
    assert job is not None
    shop.reached(job, "watching")
    shop.done(workshop.plugins.installer.rollback("counter"))
    assert (shop.version("counter"), total(workshop)) == ("1.0.0", 2)


def test_restarts_do_not_count_against_a_version_on_trial(shop: Shop, workshop: Workshop) -> None:
    workshop.restart(trial_seconds=300.0)
    shop.install(shop.counter("1.0.0"))
    installer = workshop.plugins.installer
    shop.reached(installer.upgrade("counter", Source(text=str(shop.counter("2.0.0", step=10)))), "watching")

    for _ in range(3):
        workshop.restart()

    assert shop.version("counter") == "2.0.0"


def test_rollback_goes_to_the_version_before_and_forth_again(shop: Shop, workshop: Workshop) -> None:
    shop.install(shop.counter("1.0.0"))
    shop.upgrade("counter", shop.counter("2.0.0", step=10))
    installer = workshop.plugins.installer

    shop.done(installer.rollback("counter"))
    assert (shop.version("counter"), total(workshop)) == ("1.0.0", 12)
    shop.done(installer.rollback("counter"))
    assert (shop.version("counter"), total(workshop)) == ("2.0.0", 22)
    shop.done(installer.rollback("counter", storage=True))
    assert (shop.version("counter"), total(workshop)) == ("1.0.0", 13)  # as it was when 1.0.0 was left the last time


def test_without_a_version_before_there_is_no_rollback(shop: Shop, workshop: Workshop) -> None:
    shop.install(shop.counter("1.0.0"))

    with pytest.raises(NotFoundError, match=r"No version before 1\.0\.0"):
        workshop.plugins.installer.rollback("counter")


def test_remove_keeps_what_the_plugin_kept_unless_it_is_purged(shop: Shop, workshop: Workshop) -> None:
    installer, folder = workshop.plugins.installer, shop.counter("1.0.0")
    shop.install(folder)

    shop.done(installer.remove("counter"))
    assert workshop.registry.find("counter") is None
    assert shop.installed() == [".staging"]
    shop.install(folder)
    assert total(workshop) == 2

    workshop.database.preferences.set("counter", "ann", "colour", "red")
    workshop.database.configs.set("counter", {"a": 1}, {})
    shop.done(installer.remove("counter", purge=True))
    assert workshop.database.preferences.get("counter", "ann", "colour") is None
    assert workshop.database.configs.get("counter") == {}
    shop.install(folder)
    assert total(workshop) == 1


def test_what_others_need_is_removed_with_their_consent_only(shop: Shop, workshop: Workshop) -> None:
    shop.install(shop.counter("1.0.0"))
    shop.install(shop.package("reader", "1.0.0", dependencies=needs("counter")))
    installer = workshop.plugins.installer

    with pytest.raises(ConflictError, match="needed by reader"):
        shop.done(installer.remove("counter"))
    assert workshop.status("counter") == "enabled"
    shop.done(installer.remove("counter", cascade=True))

    assert workshop.status("reader") == "disabled"


@pytest.mark.parametrize(
    ("version", "force", "reason"),
    [("1.0.0", False, "already"), ("0.9.0", False, "older"), ("0.9.0", True, None), ("1.0.0", True, None)],
)
def test_a_version_that_is_not_newer_must_be_forced(
    shop: Shop, workshop: Workshop, version: str, force: bool, reason: str | None
) -> None:
    shop.install(shop.counter("1.0.0"))
    folder = shop.sources / "1.0.0" / "counter" if version == "1.0.0" else shop.counter(version)

    if reason is None:
        shop.upgrade("counter", folder, force=force)
        assert shop.version("counter") == version
    else:
        with pytest.raises(ConflictError, match=reason):
            shop.upgrade("counter", folder, force=force)


def test_what_the_host_did_not_install_is_not_touched(shop: Shop, workshop: Workshop) -> None:
    workshop.write("local")
    workshop.plugins.lifecycle.rescan(60)
    installer = workshop.plugins.installer

    for change in (installer.remove, installer.upgrade, installer.rollback):
        with pytest.raises(ConflictError, match="was not installed by the host"):
            change("local")
    with pytest.raises(NotFoundError):
        installer.remove("nobody")
    with pytest.raises(ConflictError, match="is taken"):
        shop.install(shop.package("local", "2.0.0"))


def test_a_built_in_plugin_comes_and_goes_with_the_host(shop: Shop, workshop: Workshop) -> None:
    workshop.restart(builtin_package="builtin_plugins")

    with pytest.raises(ConflictError, match="built in"):
        workshop.plugins.installer.upgrade("core-ui", Source(text=str(shop.package("core-ui", "9.0.0"))))
    with pytest.raises(ConflictError, match="is taken"):
        shop.install(shop.package("core-ui", "9.0.1"))


@pytest.mark.parametrize("plugin_id", ["core", "host", "messages"])
def test_reserved_ids_are_refused_before_any_code_runs(shop: Shop, workshop: Workshop, plugin_id: str) -> None:
    with pytest.raises(CorehostError, match="reserved"):
        shop.install(shop.package(plugin_id, "1.0.0", "note('ran')"))

    assert workshop.noted() == []


def test_the_second_of_two_installations_of_one_id_is_refused(shop: Shop, workshop: Workshop) -> None:
    slow = shop.package("counter", "1.0.0", "import time\ntime.sleep(1.0)")
    first = workshop.plugins.installer.install(Source(text=str(slow)))
    shop.reached(first, "trying")

    with pytest.raises(ConflictError, match="already"):
        shop.install(shop.counter("2.0.0"))

    shop.done(first)
    assert shop.version("counter") == "1.0.0"


def test_an_upgrade_to_another_plugin_is_none(shop: Shop) -> None:
    shop.install(shop.counter("1.0.0"))

    with pytest.raises(ConflictError, match="That is the plugin 'reader' and not 'counter'"):
        shop.upgrade("counter", shop.package("reader", "2.0.0"))

    assert shop.version("counter") == "1.0.0"


def test_a_dependency_that_is_not_there_is_named(shop: Shop) -> None:
    folder = shop.package("reader", "1.0.0", dependencies=needs("counter", "^1.0.0"))

    with pytest.raises(CorehostError, match="counter"):
        shop.install(folder)


def test_packages_that_python_lacks_are_named_before_anything_runs_or_changes(shop: Shop, workshop: Workshop) -> None:
    requires = ("flask<1", "no-such-package-here>=2")
    folder = shop.package("counter", "1.0.0", "note('ran')", beside=True, requires=requires)

    with pytest.raises(CorehostError, match=r"'flask' must be <1.*'no-such-package-here' is not installed"):
        shop.install(folder)
    assert workshop.noted() == []
    assert shop.installed() == [".staging"]


def test_a_plugin_that_must_be_set_up_first_is_installed_and_says_so(shop: Shop, workshop: Workshop) -> None:
    folder = shop.package(
        "weather",
        "1.0.0",
        """
        @hookimpl
        def corehost_manifest():
            schema = ConfigSchema(properties={"key": ConfigProperty(type="string")}, required=("key",))
            return Manifest(id="weather", name="Weather", version="1.0.0", description="", config_schema=schema)
        """,
    )

    shop.install(folder)

    assert workshop.status("weather") == "error"
    assert "Set them" in workshop.error("weather")


def test_a_disabled_plugin_is_upgraded_and_stays_so(shop: Shop, workshop: Workshop) -> None:
    shop.install(shop.counter("1.0.0"))
    workshop.plugins.lifecycle.disable("counter")

    shop.upgrade("counter", shop.counter("2.0.0", step=10))

    assert (workshop.status("counter"), shop.version("counter")) == ("disabled", "2.0.0")
    workshop.plugins.lifecycle.enable("counter")
    assert total(workshop) == 11


def test_a_failed_plugin_is_mended_by_an_upgrade(shop: Shop, workshop: Workshop) -> None:
    shop.install(shop.counter("1.0.0"))
    workshop.plugins.lifecycle.submit_quarantine("counter", "it made too many errors").result(PATIENCE)
    assert workshop.status("counter") == "error"

    shop.upgrade("counter", shop.counter("2.0.0", step=10))

    assert (workshop.status("counter"), total(workshop)) == ("enabled", 11)


def test_a_plugin_that_does_not_run_is_listed_all_the_while_that_it_is_upgraded(shop: Shop, workshop: Workshop) -> None:
    shop.install(shop.counter("1.0.0"))
    workshop.plugins.lifecycle.disable("counter")
    listed: list[bool] = []
    stop = workshop.registry.store().subscribe(lambda plugins: listed.append("counter" in {p["id"] for p in plugins}))

    shop.upgrade("counter", shop.counter("2.0.0", step=10))
    workshop.plugins.lifecycle.submit_quarantine("counter", "it made too many errors").result(PATIENCE)
    shop.upgrade("counter", shop.counter("3.0.0", step=10))

    stop()
    assert len(listed) > 3
    assert all(listed)


def test_what_an_upgrade_would_break_is_refused_unless_forced(shop: Shop, workshop: Workshop) -> None:
    seen: list[tuple[Candidate, Plugin | None]] = []

    def check(candidate: Candidate, running: Plugin | None) -> list[str]:
        seen.append((candidate, running))
        return ["The dashboard calls 'total'."] if running else []

    shop.install(shop.counter("1.0.0"))
    workshop.plugins.installer.add_check(check)
    folder = shop.package("counter", "2.0.0")

    with pytest.raises(ConflictError, match="The dashboard calls 'total'"):
        shop.upgrade("counter", folder)
    assert shop.version("counter") == "1.0.0"
    shop.upgrade("counter", folder, force=True)

    assert shop.version("counter") == "2.0.0"
    assert seen[0][0].contracts["methods"] == {}


def test_planning_an_upgrade_changes_nothing(shop: Shop, workshop: Workshop) -> None:
    shop.install(shop.counter("1.0.0"))
    before = shop.installed()

    plan = workshop.plugins.installer.plan_upgrade("counter", Source(text=str(shop.counter("2.0.0"))))

    assert plan.upgrade == Step(before="1.0.0", after="2.0.0")
    assert plan.obstacles == ()
    assert (shop.version("counter"), shop.installed()) == ("1.0.0", before)
