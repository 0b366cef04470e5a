"""Settings come from flags, variables and a file, in that order, and every fault is named at once."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corehost.contract.errors import SettingsError
from corehost.settings import SETTINGS, Settings, is_loopback, load_settings


def write(folder: Path, text: str, name: str = "corehost.toml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_without_anything_the_defaults_hold() -> None:
    settings = load_settings({}, {})

    assert settings == Settings()
    assert (settings.host, settings.port, settings.threads) == ("127.0.0.1", 8620, 16)


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_file(tmp_path: Path) -> None:
    write(tmp_path, 'port = 1111\nthreads = 5\nlog_level = "error"\n')
    environ = {"COREHOST_PORT": "2222", "COREHOST_THREADS": "6", "COREHOST_DATA_DIR": str(tmp_path)}

    settings = load_settings({"port": "3333"}, environ)

    assert (settings.port, settings.threads, settings.log_level) == (3333, 6, "error")


def test_a_flag_that_was_not_given_leaves_the_variable_alone() -> None:
    settings = load_settings({"port": None, "plugins": (), "debug": None}, {"COREHOST_PORT": "4000"})

    assert settings.port == 4000


def test_a_flag_can_say_no_where_the_file_says_yes(tmp_path: Path) -> None:
    write(tmp_path, "debug = true\n")

    assert load_settings({"data_dir": tmp_path, "debug": False}, {}).debug is False


def test_an_empty_variable_counts_as_none() -> None:
    assert load_settings({}, {"COREHOST_PORT": "", "COREHOST_TOKEN": ""}) == Settings()


def test_lists_come_from_repeated_flags_variables_and_arrays(tmp_path: Path) -> None:
    file = write(tmp_path, 'allowed_hosts = ["a.example", "b.example:8443"]\n')
    environ = {
        "COREHOST_PLUGINS": f"one{os.pathsep}two",
        "EXTERNAL_PLUGINS": "https://x.example/p, https://y.example/q",
    }

    settings = load_settings({"allowed_hosts": ("c.example",)}, environ)

    assert settings.plugins == (Path.cwd() / "one", Path.cwd() / "two")
    assert settings.external_plugins == ("https://x.example/p", "https://y.example/q")
    assert settings.allowed_hosts == ("c.example",)
    assert load_settings({}, {}, config=file).allowed_hosts == ("a.example", "b.example:8443")


def test_a_path_in_the_file_is_seen_from_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, 'data_dir = "data"\nplugins = ["mine", "/srv/plugins"]\n', "other.toml")

    settings = load_settings({}, {"COREHOST_CONFIG": str(file)})

    assert settings.data_dir == tmp_path / "data"
    assert settings.plugins == (tmp_path / "mine", Path("/srv/plugins"))
    assert settings.plugin_folders == (tmp_path / "data" / "plugins", *settings.plugins)


def test_a_data_folder_is_absolute_however_it_was_named() -> None:
    assert load_settings({"data_dir": "here"}, {}).data_dir == Path.cwd() / "here"
    assert Settings().data_dir == Path.cwd() / "corehost-data"


def test_the_data_folders_own_file_cannot_move_the_data_folder(tmp_path: Path) -> None:
    write(tmp_path, 'data_dir = "elsewhere"\n')

    with pytest.raises(SettingsError, match="--data-dir or COREHOST_DATA_DIR"):
        load_settings({"data_dir": tmp_path}, {})


def test_a_named_file_must_exist_and_be_toml(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read as TOML"):
        load_settings({}, {}, config=tmp_path / "absent.toml")
    with pytest.raises(SettingsError, match="cannot be read as TOML"):
        load_settings({}, {}, config=write(tmp_path, "port = = 1"))
    (tmp_path / "corehost.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="cannot be read as TOML"):
        load_settings({"data_dir": tmp_path}, {})


def test_every_fault_is_named_at_once_with_flag_variable_and_key(tmp_path: Path) -> None:
    write(tmp_path, 'threads = "many"\nprot = 1\nplugins = "one"\n')
    flags = {"port": "70000", "data_dir": tmp_path, "public_url": "ftp://x"}

    with pytest.raises(SettingsError) as caught:
        load_settings(flags, {"COREHOST_LOG_LEVEL": "loud", "COREHOST_HOTS": "x"})

    text = caught.value.text
    assert len(text.splitlines()) == 7
    assert "--port: '70000' is not valid, expected is a whole number from 0 to 65535." in text
    assert "It is set by --port, COREHOST_PORT, key 'port'." in text
    assert "--public-url" in text
    assert "COREHOST_LOG_LEVEL: 'loud'" in text
    assert "'many' is not valid, expected is a whole number from 2 to 1024" in text
    assert "unknown key 'prot'. Did you mean 'port'?" in text
    assert "key 'plugins'" in text
    assert "There is no variable COREHOST_HOTS. Did you mean 'COREHOST_HOST'?" in text


def test_a_foreign_variable_with_our_prefix_is_left_alone() -> None:
    assert load_settings({}, {"COREHOST_SERVICE_PORT_8620_TCP": "tcp://10.0.0.1:8620"}) == Settings()


def test_a_token_is_never_shown_and_never_taken_from_a_flag_or_file(tmp_path: Path) -> None:
    secret = "0123456789abcdef-secret"

    settings = load_settings({}, {"COREHOST_TOKEN": secret})

    assert settings.token == secret
    assert secret not in repr(settings)
    with pytest.raises(SettingsError) as caught:
        load_settings({}, {"COREHOST_TOKEN": "short one"})
    assert "short one" not in caught.value.text
    with pytest.raises(SettingsError, match="unknown key 'token'"):
        load_settings({}, {}, config=write(tmp_path, f'token = "{secret}"\n'))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "host.example"])
def test_listening_beyond_this_machine_needs_the_public_address(host: str) -> None:
    with pytest.raises(SettingsError, match="--public-url, COREHOST_PUBLIC_URL"):
        load_settings({"host": host}, {})

    settings = load_settings({"host": host, "public_url": "https://host.example/"}, {})

    assert settings.public_url == "https://host.example"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_public_address(host: str) -> None:
    assert is_loopback(host)
    assert load_settings({"host": host}, {}).public_url is None


@pytest.mark.parametrize(
    "url", ["host.example", "ftp://x", "https://x/path", "https://", "http://[::1", "https://x?y", ""]
)
def test_a_public_address_is_a_bare_origin(url: str) -> None:
    with pytest.raises(SettingsError, match=r"without a path|not empty"):
        load_settings({"public_url": url}, {})


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("threads", "1"),
        ("threads", "x"),
        ("port", "-1"),
        ("debug", "perhaps"),
        ("heartbeat", "0"),
        ("heartbeat", "nan"),
        ("hook_deadline", "soon"),
        ("allowed_hosts", ("https://x",)),
        ("external_plugins", ("file:///etc",)),
        ("data_dir", " "),
    ],
)
def test_a_malformed_value_names_its_setting(name: str, bad: object) -> None:
    setting = next(setting for setting in SETTINGS if setting.name == name)

    with pytest.raises(SettingsError, match=str(setting.flag)):
        load_settings({name: bad}, {})


def test_every_field_can_be_set_and_has_a_help_text() -> None:
    assert [setting.name for setting in SETTINGS] == [field.name for field in dataclasses.fields(Settings)]
    assert all(setting.help.endswith(".") for setting in SETTINGS)


@given(value=st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text())))
def test_no_value_from_a_file_raises_anything_but_a_settings_error(value: object) -> None:
    for setting in SETTINGS:
        try:
            load_settings({setting.name: value}, {})
        except SettingsError:
            continue
