"""The template of workers holds what workers need, and nothing of what only the host does."""

from __future__ import annotations

import subprocess
import sys

HOSTS_OWN = {"sqlalchemy", "cryptography", "argon2", "gunicorn", "structlog", "flask_sock"}


def test_nothing_of_the_hosts_own_work_is_imported_for_workers() -> None:
    code = "import corehost.worker, sys; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert "flask" in imported
    assert not HOSTS_OWN & {name.partition(".")[0] for name in imported}
