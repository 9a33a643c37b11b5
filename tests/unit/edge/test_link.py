"""TLS on a gateway whose system clock is wrong: validity is held against the right time, or has no dates at all."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from edge.config import TlsTable, UplinkTable
from edge.uplink.link import Link
from edge.uplink.signals import Signals
from protocols.errors import UnavailableError
from protocols.sparkplug.actions import Publish

CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBizCCATGgAwIBAgIUa3sytDa3bD3nNUHQWaIwzTXWbQkwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOYnJva2VyIG9mIDIwODAwIhgPMjA4MDAxMDEwMDAwMDBaGA8y
MDkwMDEwMTAwMDAwMFowGTEXMBUGA1UEAwwOYnJva2VyIG9mIDIwODAwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAAQK8AJLCnCgsGRNtiErEqAzLHhQsanY+WAexmyK
SXkYuP2mqQoGyMN2HePk1HccO+BY3fOackHCjjWxbU9XqgyKo1MwUTAPBgNVHRMB
Af8EBTADAQH/MB0GA1UdDgQWBBSgdwT1BjCGHcfrBZPdJ/ZhZiBtbjAOBgNVHQ8B
Af8EBAMCAoQwDwYDVR0RBAgwBocEfwAAATAKBggqhkjOPQQDAgNIADBFAiBrGBLp
AAJceRQpqcu0dB9G9B6XJxmEj9txWKBq6lRF3gIhAP4dc409iEEJ/AgTty2/F14Y
6wBSLIHqrA7/mIxjKZBr
-----END CERTIFICATE-----
"""
ANOTHER = """-----BEGIN CERTIFICATE-----
MIIBfTCCASOgAwIBAgIUPm71YZUnW6k0CZszA2WDR0XRJzwwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHYW5vdGhlcjAiGA8yMDgwMDEwMTAwMDAwMFoYDzIwOTAwMTAx
MDAwMDAwWjASMRAwDgYDVQQDDAdhbm90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEZl4sGvfN14kJ5nZeuL+9GvCEPyJkALIG0a1YmgxQPpo6DLVZ4phntsAy
koP2WCEldxyzFkFYNWpzVTsRlrZm/qNTMFEwDwYDVR0TAQH/BAUwAwEB/zAdBgNV
HQ4EFgQUhMemERK50UHKVCQOclqiTOfLtugwDgYDVR0PAQH/BAQDAgKEMA8GA1Ud
EQQIMAaHBH8AAAEwCgYIKoZIzj0EAwIDSAAwRQIgGkeQYn59oBNa0fjUU0Ul87LS
+P2VtR/ipCikczUNngACIQCOSRoeahHuvhATlEIBoancaSXyWUbCvL/ZTURWDkoB
Vg==
-----END CERTIFICATE-----
"""
KEY = """-----BEGIN EC PRIVATE KEY-----
MHcCAQEEILc+9x7GJ9iQq9iCwSHqFeSdrdBsK4vKYtwtGIoWY8yKoAoGCCqGSM49
AwEHoUQDQgAECvACSwpwoLBkTbYhKxKgMyx4ULGp2PlgHsZsikl5GLj9pqkKBsjD
dh3j5NR3HDvgWN3zmnJBwo41sW1PV6oMig==
-----END EC PRIVATE KEY-----
"""
IN_2085_MS = 3_629_000_000_000
IN_2099_MS = 4_070_908_800_000


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """paho leaves the socket of a handshake that failed to the garbage collector, which says so: here, not later."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Something that shakes hands; its certificate is valid from 2080 to 2090 and signs itself."""
    pem = tmp_path / "broker.pem"
    pem.write_text(CERTIFICATE + KEY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            with suppress(OSError):
                connection, _ = listening.accept()
                connection.settimeout(10)
                with connection, context.wrap_socket(connection, server_side=True) as secured:
                    while secured.recv(4096):
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1], pem
        finally:
            thread.join(10)


@contextmanager
def link(broker: tuple[int, Path], utc_ms: int | None) -> Iterator[Link]:
    port, pem = broker
    settings = UplinkTable(host="127.0.0.1", port=port, tls=TlsTable(ca_file=pem))
    made = Link(settings, "gw-1", Publish(topic="t", payload=b""), Signals(), written=False, utc_ms=utc_ms)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("utc_ms", [None, IN_2099_MS], ids=["by the system clock", "by ours"])
def test_a_certificate_that_is_not_valid_then_is_refused(broker: tuple[int, Path], utc_ms: int | None) -> None:
    with pytest.raises(UnavailableError) as refused, link(broker, utc_ms):
        pass
    assert "certificate" in str(refused.value.params["why"])


def test_our_time_counts_when_the_system_clock_is_wrong(broker: tuple[int, Path]) -> None:
    with link(broker, IN_2085_MS) as made:
        made.check(IN_2085_MS)


def test_without_a_time_dates_do_not_count_until_it_is_known(broker: tuple[int, Path]) -> None:
    with link(broker, 0) as made:
        made.check(IN_2085_MS)
        with pytest.raises(UnavailableError):
            made.check(IN_2099_MS)


def test_without_a_time_strangers_are_refused_all_the_same(broker: tuple[int, Path], tmp_path: Path) -> None:
    port, _ = broker
    other = tmp_path / "other.pem"
    other.write_text(ANOTHER)
    with pytest.raises(UnavailableError), link((port, other), 0):
        pass
