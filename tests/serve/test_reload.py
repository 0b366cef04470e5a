"""A plugin is edited while `corehost serve --reload` runs and a browser is connected."""

from __future__ import annotations

from pathlib import Path

from tests.serve.kit import Served, place, until


def test_a_save_is_served_and_the_socket_that_was_open_hears_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    place(folder, "clock")
    host = Served(folder, "--reload")
    try:
        host.ready()
        file = folder / "plugins" / "clock.py"
        with host.browser() as browser:
            browser.call("bus.subscribe", type="core:plugin:*")

            file.write_text(file.read_text().replace("<h1>Clock</h1>", "<h1>Watch</h1>"))

            until(lambda: "<h1>Watch</h1>" in host.get("/clock").text, "the new page")
            assert browser.message("core:plugin:reloaded")["payload"]["id"] == "clock"

            good = file.read_text()
            file.write_text("def half(:\n")

            told = browser.message("core:plugin:not-reloaded")["payload"]
            assert f"{file}:1" in told["error"]
            assert "<h1>Watch</h1>" in host.get("/clock").text
            until(lambda: any(f"{file}:1" in line for line in host.log), "the fault in the terminal")

            assert host.request("PUT", "/api/plugins/clock/stores/zone", {"value": "CET"}).status == 200
            late = "\n\n@hookimpl\ndef corehost_load() -> None:\n    raise RuntimeError('not today')\n"
            file.write_text(good.replace("Watch", "Sundial") + late)

            told = browser.message("core:plugin:not-reloaded")["payload"]
            line = file.read_text().split("\n").index("    raise RuntimeError('not today')") + 1
            assert "is back as it was" in told["error"]
            assert f"{file}:{line}" in told["error"]
            assert "<h1>Watch</h1>" in host.get("/clock").text
            assert host.get("/api/plugins/clock/stores/zone").json()["value"] == "CET"
            until(lambda: any(f"{file}:{line}" in entry for entry in host.log), "the late fault in the terminal")
    finally:
        host.kill()
