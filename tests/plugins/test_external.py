"""External plugins are fetched by rules, listed, and never run."""

from __future__ import annotations

import datetime as dt
import hashlib
import http.server
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from corehost.contract.errors import (
    CorehostError,
    InvalidError,
    LateError,
    ManifestError,
    NotAllowedError,
    NotFoundError,
    TooLargeError,
)
from corehost.plugins.addresses import is_public, public_address
from corehost.plugins.external import Fetcher
from tests.plugins.workshop import Workshop

MANIFEST = json.dumps({"id": "weather", "name": "Weather", "version": "2.0.0", "description": ""}).encode()
PIN = hashlib.sha256(MANIFEST).hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        folder = self.path.rpartition("/")[0]
        if folder == "/elsewhere":
            self._redirect("http://localhost.invalid/manifest.json")
        elif folder == "/moved":
            self._redirect("/weather/manifest.json")
        elif folder == "/round":
            self._redirect("/round/manifest.json")
        else:
            self._answer(folder)

    def _redirect(self, target: str) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        self.end_headers()

    def _answer(self, folder: str) -> None:
        self.send_response(404 if folder == "/gone" else 200)
        self.end_headers()
        try:
            if folder == "/large":
                self.wfile.write(b" " * 2_000_000)
            elif folder == "/slow":
                for _ in range(100):
                    self.wfile.write(b" ")
                    self.wfile.flush()
                    threading.Event().wait(0.05)
            else:
                self.wfile.write(b"{}" if folder == "/empty" else MANIFEST)
        except OSError:  # whoever asked has hung up, as it should
            return

    def log_message(self, *args: Any) -> None:
        return


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture
def fetcher() -> Fetcher:
    return Fetcher(allow_loopback=True, seconds=1.0)


@pytest.mark.parametrize(
    "path", ["weather", "weather/", "moved", f"weather#sha256={PIN}", f"moved#sha256={PIN.upper()}"]
)
def test_a_manifest_is_fetched_whether_its_archive_is_pinned_or_not(server: str, fetcher: Fetcher, path: str) -> None:
    assert fetcher.fetch(f"{server}/{path}").id == "weather"


@pytest.mark.parametrize(
    ("path", "error", "text"),
    [
        ("weather#sha256=1", InvalidError, "no pin"),
        ("weather#md5=1", InvalidError, "no pin"),
        ("elsewhere", NotAllowedError, "redirects to another host"),
        ("round", NotAllowedError, "redirects more than"),
        ("large", TooLargeError, "more than 1000000 bytes"),
        ("slow", LateError, "slowly|not done after"),
        ("gone", NotFoundError, "404"),
        ("empty", ManifestError, "/id"),
    ],
)
def test_each_rule_has_its_error(server: str, fetcher: Fetcher, path: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        fetcher.fetch(f"{server}/{path}")


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://example.com/clock", NotAllowedError),
        ("ftp://example.com/clock", NotAllowedError),
        ("https://10.0.0.1/clock", NotAllowedError),
        ("https://169.254.169.254/latest", NotAllowedError),
        ("https://[::ffff:10.0.0.1]/clock", NotAllowedError),
        ("https://localhost/clock", NotAllowedError),
        ("https://user:secret@example.com/clock", InvalidError),
        ("https:///clock", InvalidError),
        ("https://example.com:99999/clock", InvalidError),
        ("clock", InvalidError),
    ],
)
def test_addresses_that_are_not_public_https_are_refused(url: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Fetcher().fetch(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:192.168.0.1",
        "2002:7f00:1::", "64:ff9b::a00:1", "2001:0:4136:e378:8000:63bf:f5ff:fffe", "2001:db8::1",
    ],
)  # fmt: skip  # a table of addresses reads better in rows
def test_addresses_inside_of_a_network_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_a_name_that_nobody_knows_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        public_address("no-such-host.invalid", 443)


def test_external_plugins_are_listed_as_not_allowed_and_cannot_be_enabled(workshop: Workshop, server: str) -> None:
    urls = (f"{server}/weather#sha256={PIN}", f"{server}/gone", f"{server}/weather")
    workshop.write("clock")
    plugins = workshop.start(external_urls=urls, allow_loopback_http=True)
    for _ in range(1000):
        if len(workshop.registry.all()) == 4:
            break
        threading.Event().wait(0.01)

    weather = workshop.registry.get("weather")
    assert (weather.status, weather.version) == ("error", "2.0.0")
    assert "not allowed" in str(weather.error)
    assert weather.origin.to_json() == {"type": "external", "url": urls[0]}
    assert "404" in workshop.error("gone")
    assert "Two plugins have the id 'weather'" in workshop.error("weather@2")
    with pytest.raises(NotAllowedError):
        plugins.lifecycle.enable("weather")
    assert plugins.lifecycle.plan("weather", "enabled").obstacles
    plugins.lifecycle.rescan()
    assert workshop.registry.get("weather").barred is not None


class _Tls:
    """An https server on this machine, whose certificate is for *name* and signed by itself."""

    def __init__(self, folder: Path, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = (
            x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(made.public_bytes(Encoding.PEM))
        secret = folder / f"{name}.key"
        secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, secret)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_port}/weather"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.mark.parametrize(("name", "is_known"), [("localhost", True), ("localhost", False), ("plugins.example", True)])
def test_a_server_must_prove_over_https_who_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fetcher: Fetcher, name: str, is_known: bool
) -> None:
    tls = _Tls(tmp_path, name)
    if is_known:
        monkeypatch.setenv("SSL_CERT_FILE", str(tls.certificate))
    try:
        if name == "localhost" and is_known:
            assert fetcher.fetch(tls.url).id == "weather"
        else:
            with pytest.raises(CorehostError, match=r"certificate verify failed|match .plugins"):
                fetcher.fetch(tls.url)
    finally:
        tls.server.shutdown()
        tls.server.server_close()


def test_an_archive_may_be_named_itself(server: str, fetcher: Fetcher) -> None:
    data = fetcher.fetch_archive(f"{server}/weather.zip#sha256={PIN}")

    assert data == (None, MANIFEST)
    with pytest.raises(InvalidError, match="not the pinned"):
        fetcher.fetch_archive(f"{server}/weather.zip#sha256={'0' * 64}")
    listed = fetcher.list(f"{server}/weather.zip")
    assert (listed.manifest, "not allowed" in str(listed.error)) == (None, True)
