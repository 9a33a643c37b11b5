"""Fuzz `liandong decode` with atheris: ``python -m tools.fuzz [KIND …] [--seconds N]``; ``make fuzz`` does them all.

atheris lives in an environment that `tools/others` makes. One line of JSON for each kind: executions, how many a
second, edges covered, and the file of an input that was not borne (the run then ends with 1).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.seeds import KINDS
from tests.services.capabilities import others_folder

ROOT = Path(__file__).parents[1]
_GRACE_S = 120


def run(kind: str, folder: Path, *options: str, seconds: float = 60) -> dict[str, object]:
    """One bounded run of `kind` (or ``all``) with its corpus and findings in `folder`."""
    artifacts = folder / "findings" / kind
    artifacts.mkdir(parents=True, exist_ok=True)
    limits = ["-timeout=10", "-rss_limit_mb=1024", "-max_len=4096", "-len_control=20", "-print_final_stats=1"]
    python = others_folder() / "atheris" / "bin" / "python"
    done = subprocess.run(
        [
            *("nice", str(python), "-m", "tests.fuzz.harness", kind, str(folder / "corpus" / kind)),
            *(f"-max_total_time={round(seconds)}", f"-artifact_prefix={artifacts}/", *limits, *options),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=seconds + _GRACE_S,
        check=False,
    )
    said = done.stderr + done.stdout
    found = sorted(str(path) for path in artifacts.iterdir())
    if done.returncode and not found:
        sys.stderr.write(said[-4000:])
    return {
        "kind": kind,
        "executions": _last(r"stat::number_of_executed_units:\s*(\d+)", said) or _last(r"#(\d+)\s", said),
        "per_second": _last(r"stat::average_exec_per_sec:\s*(\d+)", said),
        "edges": _last(r"cov: (\d+)", said),
        "peak_mb": _last(r"stat::peak_rss_mb:\s*(\d+)", said),
        "ended_well": not done.returncode,
        "findings": found,
    }


def _last(pattern: str, text: str) -> int | None:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else None


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kind", nargs="*", choices=[*KINDS, "all", []], default=[])
    parser.add_argument("--seconds", type=float, default=60.0, help="for each kind")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "fuzz", help="corpus and findings; both are kept"
    )
    args = parser.parse_args()
    well = True
    for kind in args.kind or KINDS:
        told = run(kind, args.folder, seconds=args.seconds)
        print(json.dumps(told), flush=True)
        well = well and bool(told["ended_well"])
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
