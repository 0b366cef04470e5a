"""What every suite shares: tiers, hypothesis profiles, programs that a test needs, and the order of tests."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator

import pytest
import structlog
from hypothesis import settings as hypothesis_settings

from tests.tiers import Tiers, add_options

Require = Callable[..., str]

REQUIRE_ALL = os.environ.get("COREHOST_TEST_REQUIRE_ALL") == "1"

# A shared machine's pace must not fail a test; a failing example prints the way to repeat it.
hypothesis_settings.register_profile("default", deadline=None, print_blob=True)
hypothesis_settings.register_profile("ci", deadline=None, print_blob=True, derandomize=False, max_examples=200)
hypothesis_settings.register_profile("long", deadline=None, print_blob=True, derandomize=False, max_examples=2_000)
hypothesis_settings.load_profile("ci" if REQUIRE_ALL else "default")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shuffle", metavar="SEED", help="run files, and the tests in each, in a random order from SEED")
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # So are jobs started that a shell runs in the background, and with them the programs which tests tell to end.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(Tiers(config), "tiers")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seed = config.getoption("--shuffle")
    if seed is None:
        return
    dice = random.Random(seed)
    by_file: dict[str, list[pytest.Item]] = {}
    for item in items:
        by_file.setdefault(item.nodeid.split("::")[0], []).append(item)
    files = list(by_file.values())
    dice.shuffle(files)
    for tests in files:
        dice.shuffle(tests)
    items[:] = [item for tests in files for item in tests]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:  # pytest gives the report back through the yield
    report: pytest.TestReport = yield  # type: ignore[assignment]  # a wrapper is sent what it wraps
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = (
            f"{item.nodeid} would be skipped, and COREHOST_TEST_REQUIRE_ALL asks for all: {report.longrepr}"
        )
    return report  # type: ignore[return-value]  # ditto


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    yield
    if structlog.is_configured():  # by a program that was tried in this process; the next test may look at logs
        structlog.reset_defaults()


@pytest.fixture(scope="session")
def program() -> Require:
    """Return a function that finds the first of some programs, or skips, naming the package that brings it."""

    def find(*names: str, package: str) -> str:
        for name in names:
            if path := shutil.which(name):
                return path
        pytest.skip(f"needs {names[0]}: sudo apt-get install -y {package}")

    return find


@pytest.fixture(scope="session")
def chromium(program: Require) -> str:
    """Return the path of a Chromium, for ``playwright.chromium.launch(executable_path=...)``."""
    return program("chromium", "chromium-browser", "google-chrome", package="chromium")
