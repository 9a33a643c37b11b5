"""What docs/reference/doors.md says about a door that opens unobserved: a rule raised in the database stays raised."""

from __future__ import annotations

import re
from pathlib import Path

from cloud.storage.database import Database
from tests.integration.api.conftest import Street

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "doors.md"


def test_a_rule_that_was_raised_stays_raised_over_restarts(database: Database, street: Street) -> None:
    street.observe("door-1", "access.opened-unobserved")
    (statement,) = re.findall(r"```sql\n\s*(UPDATE rule .*?)\n\s*```", PAGE.read_text("utf-8"), re.DOTALL)
    with database.transaction() as tx:
        tx.execute(statement)
    restarted = Street(Street(database).database)
    restarted.observe("door-1", "access.closed")
    restarted.observe("door-1", "access.opened-unobserved")
    assert [row["severity"] for row in street.rows("SELECT severity FROM alarm ORDER BY id")] == ["P3", "P2"]
