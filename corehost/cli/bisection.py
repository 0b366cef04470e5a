"""Find by halving which plugins a problem needs, given a way to see whether it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from corehost.contract.errors import ConflictError

HasProblem = Callable[[frozenset[str]], bool]
"""Tells whether the problem is there with exactly these of the plugins in question enabled."""
MOST_CULPRITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of it: ``culprits`` together cause the problem, in the order in which they were found.

    None: it ``persists`` without any of the plugins, or it was not there at all. ``others``: it is there even without
    the first of them, so that something else causes it, too. ``asked`` counts how often somebody had to look.
    """

    culprits: tuple[str, ...] = ()
    persists: bool = False
    others: bool = False
    asked: int = 0


class Bisection:
    """The search among *plugins*, listed so that each comes after those that it needs; *needs* gives these by id.

    Whatever is tried is closed: no plugin is on without what it needs. With n plugins a single culprit takes
    ceil(log2 n) looks and four further ones, each of several that act together ceil(log2 n) more and one.
    """

    def __init__(self, plugins: Sequence[str], needs: Mapping[str, Iterable[str]], has_problem: HasProblem) -> None:
        self._plugins = tuple(plugins)
        self._needs = {name: tuple(n for n in needs.get(name, ()) if n in self._plugins) for name in plugins}
        self._has_problem = has_problem
        self._known: dict[frozenset[str], bool] = {}

    def run(self) -> Finding:
        """Search; raises ``ConflictError`` if no few plugins explain the answers."""
        everything = frozenset(self._plugins)
        if not self._shows(everything):
            return self._found()
        if self._shows(frozenset()):
            return self._found(persists=True)
        culprits: list[str] = []
        base: frozenset[str] = frozenset()
        reach = self._plugins
        while not culprits or not self._shows(base):
            if len(culprits) == MOST_CULPRITS or not (left := [name for name in reach if name not in base]):
                raise _no_explanation(culprits)
            last = self._first_bad(base, left)
            culprits.append(left[last])
            # What comes after the first that turns good into bad has no part in it.
            reach = tuple(name for name in reach if name in base or name in left[: last + 1])
            base |= self._closed(left[last])
        return self._found(culprits, others=self._shows(everything - self._dependants(culprits[0])))

    def _first_bad(self, base: frozenset[str], rest: Sequence[str]) -> int:
        """Return the index of the first of *rest* with which, and all before it, the problem is there.

        With all of *rest* it is: that was seen before.
        """
        low, high = 0, len(rest) - 1
        while low < high:
            middle = (low + high) // 2
            if self._shows(base | frozenset(rest[: middle + 1])):
                high = middle
            else:
                low = middle + 1
        return low

    def _shows(self, enabled: frozenset[str]) -> bool:
        if enabled not in self._known:
            self._known[enabled] = self._has_problem(enabled)
        return self._known[enabled]

    def _closed(self, name: str) -> frozenset[str]:
        found, open_names = {name}, [name]
        while open_names:
            further = set(self._needs[open_names.pop()]) - found
            found |= further
            open_names += further
        return frozenset(found)

    def _dependants(self, name: str) -> frozenset[str]:
        return frozenset(other for other in self._plugins if name in self._closed(other))

    def _found(self, culprits: Iterable[str] = (), *, persists: bool = False, others: bool = False) -> Finding:
        return Finding(culprits=tuple(culprits), persists=persists, others=others, asked=len(self._known))


def _no_explanation(culprits: Sequence[str]) -> ConflictError:
    seen = f" {', '.join(culprits)} seemed to have a part in it." if culprits else ""
    return ConflictError(f"It takes more than {MOST_CULPRITS} plugins, or comes and goes by itself.{seen} Try again.")
