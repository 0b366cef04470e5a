"""Whatever is done to plugins in whatever order, none runs without what it needs, and none leaves anything."""

from __future__ import annotations

import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from corehost.contract.errors import CorehostError, DependantsError, DependencyError, PluginFaultError
from tests.plugins.workshop import Workshop, needs
from tests.tiers import SHARE

NEEDS = {"a": (), "b": needs("a"), "c": needs("b"), "d": (*needs("a"), *needs("c", optional=True)), "moody": needs("a")}
BODY = """
@hookimpl
def corehost_setup(context):
    if Path(str(LOG) + ".bad").exists() and context.plugin_id == "moody":
        raise ValueError("moody")
    context.core.messages.subscribe("x:*", print)
    context.spawn(lambda signal: signal.wait())

@hookimpl
def corehost_messages():
    return MessagesSpec(handlers={"tick": Handler(handle=print)})
"""
IDS = st.sampled_from(sorted(NEEDS))


class LifeMachine(RuleBasedStateMachine):
    """Does to a host's plugins what operators, files and faults do."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._workshop = Workshop(Path(self._folder.name))
        for plugin_id, wanted in NEEDS.items():
            self._workshop.write(plugin_id, BODY, dependencies=wanted, permissions=("plugins:communicate",))
        self._workshop.start()

    @rule(plugin_id=IDS, cascade=st.booleans())
    def enable(self, plugin_id: str, cascade: bool) -> None:
        """An operator enables a plugin."""
        try:
            self._workshop.plugins.lifecycle.enable(plugin_id, cascade=cascade)
        except (DependencyError, PluginFaultError):
            assert not self._is_enabled(plugin_id)
        else:
            assert self._is_enabled(plugin_id)

    @rule(plugin_id=IDS, cascade=st.booleans())
    def disable(self, plugin_id: str, cascade: bool) -> None:
        """An operator disables a plugin."""
        before = [p.id for p in self._workshop.registry.enabled()]
        try:
            self._workshop.plugins.lifecycle.disable(plugin_id, cascade=cascade)
        except DependantsError:
            assert [p.id for p in self._workshop.registry.enabled()] == before
        else:
            assert self._workshop.status(plugin_id) == "disabled"

    @rule(plugin_id=IDS)
    def quarantine(self, plugin_id: str) -> None:
        """The host gives up on a plugin."""
        self._workshop.plugins.lifecycle.submit_quarantine(plugin_id, "stuck").result(30)
        assert not self._is_enabled(plugin_id)

    @rule(plugin_id=IDS)
    def reload(self, plugin_id: str) -> None:
        """Somebody reloads a plugin; what cannot be is refused and leaves all as it was, but for one whose mood is bad.

        That one's old code, which is set up again, fails for the same reason as the new.
        """
        before = {p.id for p in self._workshop.registry.enabled()}
        try:
            self._workshop.plugins.lifecycle.reload(plugin_id)
        except CorehostError:
            now = {p.id for p in self._workshop.registry.enabled()}
            assert now == before or (plugin_id == "moody" and now == before - {"moody"})
        else:
            assert self._is_enabled(plugin_id)

    @rule(is_bad=st.booleans())
    def change_mood(self, is_bad: bool) -> None:
        """One plugin begins or ceases to fail when it is set up."""
        flag = Path(f"{self._workshop.log}.bad")
        flag.touch() if is_bad else flag.unlink(missing_ok=True)

    @rule()
    def rescan(self) -> None:
        """The folders are looked at again."""
        self._workshop.plugins.lifecycle.rescan()

    @rule()
    def restart(self) -> None:
        """The host is stopped and started."""
        wanted = {p.id for p in self._workshop.registry.enabled()}
        self._workshop.restart()
        gone = wanted - {p.id for p in self._workshop.registry.enabled()}
        assert gone <= {"moody"}

    @invariant()
    def nobody_runs_without_what_it_needs(self) -> None:
        """Every required dependency of an enabled plugin is enabled."""
        for plugin in self._workshop.registry.enabled():
            assert plugin.manifest is not None
            for dependency in plugin.manifest.dependencies:
                assert dependency.optional or self._is_enabled(dependency.plugin_id)

    @invariant()
    def nobody_leaves_anything(self) -> None:
        """A plugin that is not enabled has no lane, subscription, module or thread."""
        for plugin_id in NEEDS:
            if not self._is_enabled(plugin_id):
                assert self._workshop.messaging.lanes.lane(plugin_id) is None
                assert self._workshop.bus.count(plugin_id) == 0
                assert f"corehost_plugins.{plugin_id}" not in sys.modules
                assert not [t for t in threading.enumerate() if t.name == f"plugin-{plugin_id}-spawned"]

    def teardown(self) -> None:
        """Stop the host."""
        self._workshop.stop()
        self._folder.cleanup()
        assert not [name for name in sys.modules if name.startswith("corehost_plugins.")]

    def _is_enabled(self, plugin_id: str) -> bool:
        plugin = self._workshop.registry.find(plugin_id)
        return plugin is not None and plugin.is_enabled


RUNS = 2_000
"""With ``--long``, whose profile asks for as many; else a twentieth, which is less than other property tests do."""

LifeMachine.TestCase.settings = settings(
    max_examples=RUNS if settings.get_current_profile_name() == "long" else RUNS // SHARE,
    stateful_step_count=8,
    deadline=None,
)
TestLife = pytest.mark.suite("Life cycle")(LifeMachine.TestCase)
