"""What people get wrong ends in one clear sentence, the right exit code, no traceback, and nothing lost."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import httpx
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.acceptance.people import Operator
from tests.acceptance.street import Street, eventually
from tests.services.ports import free_port


def sentence(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """One sentence on standard error that holds `words`; this exit code."""
    assert done.returncode == code, (done.returncode, done.stderr)
    said = [line for line in done.stderr.splitlines() if line.startswith("liandong: ")]
    assert len(said) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in said[0], (word, said[0])


@pytest.fixture
def anywhere(tmp_path: Path) -> Street:
    """Commands without a running street."""
    return Street(tmp_path / "data", free_port())


def test_a_second_up_on_the_same_data(street: Street) -> None:
    done = street.command("up", "--data", str(street.data), "--port", str(free_port()))
    sentence(done, 1, str(street.data), street.url, "--data")
    assert httpx.get(f"{street.url}/healthz").status_code == 200


def test_a_port_in_use(anywhere: Street) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = anywhere.command("up", "--data", str(anywhere.data), "--port", str(port))
    sentence(done, 2, str(port), "--port")


def test_data_of_a_newer_version(anywhere: Street) -> None:
    anywhere.data.mkdir()
    (anywhere.data / "liandong.json").write_text(json.dumps({"layout": 99}))
    done = anywhere.command("up", "--data", str(anywhere.data), "--port", str(anywhere.port))
    sentence(done, 1, "newer", "--data")
    assert sorted(path.name for path in anywhere.data.iterdir()) == ["liandong.json", "lock"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["up", "--nonsense"], "--nonsense"),
        (["up", "--port", "70000"], "70000"),
        (["up", "--scenario", "atlantis"], "peach-garden"),
        (["up", "--listen", "0.0.0.0"], "loopback"),
        (["nonsense"], "nonsense"),
        (["decode", "nonsense", "x"], "evadts"),
        (["sim", "trigger", "smoke", "--data", "nowhere"], "nowhere"),
    ],
)
def test_a_wrong_call(anywhere: Street, words: list[str], expected: str) -> None:
    extra = ["--data", str(anywhere.data)] if words[0] == "up" else []
    sentence(anywhere.command(*words, *extra), 2, expected)


def test_an_unknown_trigger_or_place(street: Street) -> None:
    sentence(street.command("sim", "trigger", "earthquake", "--data", str(street.data)), 2, "earthquake", "smoke")
    done = street.command("sim", "trigger", "smoke", "--at", "peach-garden/9/101", "--data", str(street.data))
    sentence(done, 2, "peach-garden/9/101", "502")


def test_an_unknown_key_in_a_configuration(street: Street, tmp_path: Path) -> None:
    for command, file in (("edge", "gw-1.toml"), ("cloud", "cloud.toml")):
        text = (street.data / "config" / file).read_text()
        config = tmp_path / file
        table = "uplink" if command == "edge" else "http"
        config.write_text(text.replace(f"[{table}]", f"[{table}]\nporrt = 1"))
        sentence(street.command(command, "run", "--config", str(config)), 2, "porrt", "port")


def test_garbage_to_decode(anywhere: Street, tmp_path: Path) -> None:
    junk = tmp_path / "junk"
    junk.write_bytes(bytes(range(200)))
    for kind in ("evadts", "sparkplug"):
        done = anywhere.command("decode", kind, str(junk))
        sentence(done, 1, kind)
    sentence(anywhere.command("decode", "evadts", str(tmp_path / "missing")), 2, "missing")


def test_a_database_and_a_broker_that_are_away(street: Street, tmp_path: Path) -> None:
    config = tmp_path / "cloud.toml"
    config.write_text(f'[database]\ndsn = "postgresql://nobody@127.0.0.1:{free_port()}/x"\n')
    sentence(street.command("cloud", "migrate", "--config", str(config)), 1)


def test_a_wrong_password_and_an_oversized_request(street: Street, operator: Operator) -> None:
    headers = {"Origin": street.url}
    wrong = httpx.post(f"{street.url}/api/v1/session", json={"login": "chenjing", "password": "x"}, headers=headers)
    assert wrong.status_code == 401
    assert wrong.json()["error"]["sentence"]
    large = httpx.post(f"{street.url}/api/v1/session", json={"login": "a" * 2_000_000}, headers=headers)
    assert large.status_code == 413
    assert large.json()["error"]["sentence"]
    as_json = headers | {"Content-Type": "application/json"}
    malformed = httpx.post(f"{street.url}/api/v1/session", content=b"{", headers=as_json)
    assert malformed.status_code in (400, 422)
    assert malformed.json()["error"]["sentence"]
    assert httpx.get(f"{street.url}/api/v1/alarms").status_code == 401
    foreign = operator.client.post(
        "/api/v1/incidents/1/close", json={}, headers={"Origin": "https://elsewhere.example"}
    )
    assert foreign.status_code == 403


def test_a_malformed_payload_from_the_street_is_kept_and_counted(street: Street) -> None:
    """Bytes that are no Sparkplug, published by a gateway's own account: kept as poison, and the stream goes on."""
    run = json.loads((street.data / "run.json").read_text())
    before = street.rows("SELECT count(*) AS n FROM poison")[0]["n"]
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="broken")
    client.username_pw_set("gw-1", (street.data / "keys" / "mqtt-gw-1").read_text())
    client.connect("127.0.0.1", run["ports"]["broker"])
    client.loop_start()
    client.publish("spBv1.0/peach-garden/NBIRTH/broken", b"\xff\xfe not protobuf", qos=0).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()
    eventually("it is kept", lambda: street.rows("SELECT count(*) AS n FROM poison")[0]["n"] > before)


def test_only_loopback_is_listened_on(street: Street) -> None:
    """Every TCP and UDP socket that any process of the street listens on, from the kernel's own tables."""
    pids = {*street.pids().values()}
    inodes = {
        link.split("[")[1].rstrip("]")
        for pid in pids | _descendants(pids)
        for link in _links(pid)
        if link.startswith("socket:[")
    }
    listening: set[str] = set()
    for table, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == state and columns[9] in inodes:
                listening.add(columns[1].partition(":")[0])
    assert listening, "the street listens on something"
    assert listening <= {"0100007F", "00000000000000000000000001000000"}, listening


def _links(pid: int) -> list[str]:
    try:
        return [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []


def _descendants(pids: set[int]) -> set[int]:
    found: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) in pids:
            found.add(int(stat.parent.name))
    return found
