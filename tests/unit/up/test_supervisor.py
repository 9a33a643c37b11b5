"""The supervisor on real processes: their words in a log, a start that is broken off, a part that ends at its start."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from liandong.up.supervisor import Part, Supervisor
from protocols.errors import UnavailableError

PATIENCE_S = 20.0


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path, lambda pids: None)
    yield supervisor
    supervisor.stop()


def part(program: str, *, ready: bool = True) -> Part:
    return Part(name="part", command=[sys.executable, "-c", program], ready=lambda: ready, ready_within_s=PATIENCE_S)


def test_what_a_part_says_stands_in_its_log_as_it_said_it(supervisor: Supervisor, tmp_path: Path) -> None:
    said = "100% of 联动, %s and {braces}"
    assert supervisor.start(part(f"import time; print({said!r}, flush=True); time.sleep(60)"))
    log, deadline = tmp_path / "part.log", time.monotonic() + PATIENCE_S
    while not (log.exists() and log.read_text("utf-8")) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert log.read_text("utf-8") == f"{said}\n"


def test_a_log_that_cannot_be_written_does_not_hold_up_a_part(supervisor: Supervisor, tmp_path: Path) -> None:
    (tmp_path / "part.log").mkdir()
    done = tmp_path / "done"
    program = f"import pathlib, time; print('x' * 1_000_000, flush=True); pathlib.Path({str(done)!r}).touch()"
    supervisor.start(part(f"{program}; time.sleep(60)"))
    deadline = time.monotonic() + PATIENCE_S
    while not done.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert done.exists()


def test_ctrl_c_while_it_starts_does_not_wait_for_a_part_that_is_not_ready(supervisor: Supervisor) -> None:
    stop = threading.Event()
    stop.set()
    assert not supervisor.start(part("import time; time.sleep(60)", ready=False), stop=stop)


def test_a_part_that_ends_at_its_start_is_named_with_its_last_words(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError) as failed:
        supervisor.start(part("print('no such file'); raise SystemExit(1)", ready=False))
    assert failed.value.code == "liandong.up.part-ended"
    assert failed.value.params == {"part": "part", "log": tmp_path / "part.log", "last": "no such file"}


def test_a_part_that_is_held_down_is_started_again_only_after_its_release(tmp_path: Path) -> None:
    seen: list[dict[str, int]] = []
    supervisor, over = Supervisor(tmp_path, lambda pids: seen.append(dict(pids))), threading.Event()
    supervisor.start(part("import time; time.sleep(60)"))
    watching = threading.Thread(target=supervisor.run, args=(over,))
    watching.start()

    def until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    try:
        supervisor.hold("part")
        os.kill(seen[-1]["part"], signal.SIGKILL)
        until(lambda: seen[-1] == {})
        time.sleep(1)  # longer than the pause before a part is started again
        assert seen[-1] == {}
        supervisor.release("part")
        until(lambda: "part" in seen[-1])
    finally:
        over.set()
        watching.join(PATIENCE_S)
        supervisor.stop()
