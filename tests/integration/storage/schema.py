"""What a database looks like, as lines that can be compared: not in which order it came to be."""

from __future__ import annotations

import re

from cloud.storage.database import Database

QUESTIONS = (
    """SELECT 'column', table_name, column_name, data_type, is_nullable, coalesce(column_default, ''), is_identity
       FROM information_schema.columns WHERE table_schema = 'public'""",
    """SELECT 'constraint', conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
       WHERE connamespace = 'public'::regnamespace""",
    "SELECT 'index', tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT 'trigger', tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT 'function', proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'",
)
_DAILY = re.compile(r"reading_(?:\d{8}|default)")


def described(database: Database) -> set[tuple[str, ...]]:
    """Everything but the daily partitions, which depend on the day."""
    found: set[tuple[str, ...]] = set()
    with database.transaction() as tx:
        for question in QUESTIONS:
            with tx.connection.cursor() as cursor:
                for row in cursor.execute(question).fetchall():
                    told = tuple(str(value) for value in row.values())
                    if not any(_DAILY.search(part) for part in told):
                        found.add(told)
    return found
