"""Clocks that are turned from outside: what a process that was started through the launcher sees."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from liandong.lab.clock import Turn, turn, turnable
from liandong.up.supervisor import Part

SHOW = """
import sys, time
from pathlib import Path
from liandong.lab.clock import turn_clocks
from edge.clock.source import Machine
turn_clocks(Path(sys.argv[1]))
machine = Machine()
for _ in sys.stdin:
    sight = machine.look()
    told = time.time(), sight.wall_ns, sight.steady_ns, sight.synchronised, machine.boot(), machine.keeps_time()
    print(*told, flush=True)
    time.sleep(0.03)
"""


def test_a_running_process_sees_each_turn(tmp_path: Path) -> None:
    file = tmp_path / "clock.json"
    with subprocess.Popen(
        [sys.executable, "-c", SHOW, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as shown:
        assert shown.stdin is not None
        assert shown.stdout is not None

        def look() -> tuple[float, float, int, str, str, str]:
            assert shown.stdin is not None
            assert shown.stdout is not None
            shown.stdin.write("\n")
            shown.stdin.flush()
            at, wall_ns, steady_ns, *words = shown.stdout.readline().split()
            assert abs(int(wall_ns) / 1e9 - float(at)) < 5
            return float(at) - time.time(), float(at), int(steady_ns), words[0], words[1], words[2]

        true_boot = look()[4]
        assert abs(look()[0]) < 30
        turn(file, Turn(step_s=-3600, synchronised=True))
        time.sleep(0.05)
        apart, _, before_ns, kernel, boot, _ = look()
        assert abs(apart + 3600) < 30
        assert (kernel, boot) == ("True", true_boot)
        turn(file, Turn.to(0).rebooted("another"))
        time.sleep(0.05)
        _, at, steady_ns, kernel, boot, _ = look()
        assert at < 60
        assert steady_ns < before_ns
        assert (kernel, boot) == ("False", "another")
        file.unlink()
        time.sleep(0.05)
        assert look()[4] == true_boot
        shown.stdin.close()


def test_a_part_is_started_through_the_launcher(tmp_path: Path) -> None:
    part = Part(name="gw-1", command=["python3", "-m", "liandong", "edge", "run"], ready=lambda: True)
    words = ["python3", "-m", "liandong.lab.clock", str(tmp_path / "f"), "edge", "run"]
    assert turnable(part, tmp_path / "f").command == words
