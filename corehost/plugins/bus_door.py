"""Stand between a plugin and the bus."""

from __future__ import annotations

from collections.abc import Callable

from corehost.contract.permissions import PLUGINS_COMMUNICATE
from corehost.plugins.doors import Door
from corehost.plugins.restraint import Restraint

Undo = Callable[[], None]


class BusDoor:
    """The access of a plugin that was granted ``plugins:communicate``; what it subscribes ends with it."""

    def __init__(self, door: Door) -> None:
        self.holder = door.plugin
        self.passed: object = None
        """The grants that were found to be enough, so that not each message is asked about."""
        self._door = door
        self._restraint: Restraint | None = None

    def restrain(self, restraint: Restraint | None) -> None:
        """Let it send as much as *restraint* allows from now on, and without one as much as it likes."""
        self._restraint, self.passed = restraint, None

    def admit(self) -> None:
        """Raise ``PermissionDeniedError`` unless the plugin may use the bus."""
        granted = self.holder.granted
        if granted is not self.passed:
            self._door.require(PLUGINS_COMMUNICATE, "use the bus")
            if self._restraint is None:
                self.passed = granted

    def admit_message(self) -> None:
        """Raise that, or ``BusyError`` when the plugin is held back and has sent too much."""
        if (restraint := self._restraint) is not None:
            restraint.require_room()
        self.admit()

    def keep(self, undo: Undo) -> Undo:
        """See to it that a subscription ends with the plugin."""
        return self._door.closers.keep(undo)
