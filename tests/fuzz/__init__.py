"""Fuzzing of `liandong decode` guided by coverage (atheris), beside what Hypothesis tries in tests/unit."""
