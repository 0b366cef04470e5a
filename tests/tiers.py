"""Two tiers of tests: each long suite at a twentieth whenever tests run, and whole with ``--long``."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import settings as hypothesis_settings

SHARE = 20
"""What the short tier divides by."""

OTHERS = "Other long tests"

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much of a long suite to do: ``scale(500)`` is 500 with ``--long`` and 25 without, but never below *least*."""

    is_long: bool

    def __call__(self, full: int, *, least: int = 1) -> int:
        return full if self.is_long else max(least, full // SHARE)


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("tiers")
    group.addoption("--long", action="store_true", help="run the long suites, and only these, at full scale")
    group.addoption("--suite", action="append", default=[], metavar="NAME", help="run these suites only; repeatable")
    group.addoption("--seed", type=int, help="repeat what a run with this seed did by chance")


class Tiers:
    """A plugin of pytest: chooses what runs, makes chance repeatable, and notes what suites did."""

    def __init__(self, config: pytest.Config) -> None:
        # Chosen here, where xdist has not copied the options to its workers yet, so that all have the same.
        if config.option.seed is None:
            config.option.seed = random.randrange(1_000_000)
        elif config.option.hypothesis_seed is None:
            config.option.hypothesis_seed = str(config.option.seed)
        self._seed: int = config.option.seed
        self._is_long: bool = config.option.long
        self._wanted = frozenset[str](config.option.suite)
        if self._is_long:
            hypothesis_settings.load_profile("long")

    def pytest_report_header(self) -> str:
        share = "long suites whole, and only these" if self._is_long else f"long suites at 1/{SHARE}"
        return f"tier: {share}; by chance from --seed {self._seed}"

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Drop what is not of this tier, and write into each report which suite its test belongs to."""
        chosen = [item for item in items if self._is_chosen(item)]
        config.hook.pytest_deselected(items=[item for item in items if not self._is_chosen(item)])
        if missing := sorted(self._wanted - set(map(_suite_of, chosen))):
            known = ", ".join(sorted(set(map(_suite_of, items)) - {OTHERS}))
            raise pytest.UsageError(f"There is no suite {missing[0]!r}. These are: {known}.")
        items[:] = chosen
        for item in chosen:
            item.user_properties.append(("suite", _suite_of(item)))

    @pytest.fixture
    def scale(self) -> Scale:
        """Return how much to do: ``scale(500)`` is 500 with ``--long``, else 25."""
        return Scale(is_long=self._is_long)

    @pytest.fixture
    def seed(self, request: pytest.FixtureRequest) -> str:
        """Return what to make chance from: of this test, the same in each run with the same ``--seed``."""
        return f"{self._seed} {request.node.nodeid}"

    @pytest.fixture
    def dice(self, seed: str) -> random.Random:
        """Return dice that fall the same in each run with the same ``--seed``."""
        return random.Random(seed)

    @pytest.fixture
    def tell(self, request: pytest.FixtureRequest) -> Tell:
        """Return a function that notes in one line what a test did and found, for docs/conformance.md."""
        return lambda line: request.node.user_properties.append(("told", line))

    def _is_chosen(self, item: pytest.Item) -> bool:
        if self._wanted and _suite_of(item) not in self._wanted:
            return False
        is_long = item.get_closest_marker("long") is not None
        if self._is_long:
            return is_long or item.get_closest_marker("suite") is not None
        return not is_long


def _suite_of(item: pytest.Item) -> str:
    suite = item.get_closest_marker("suite")
    return str(suite.args[0]) if suite else OTHERS
