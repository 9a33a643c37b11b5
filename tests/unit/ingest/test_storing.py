"""What the figures' thread may ask of the way to the database while the worker's thread goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cloud.ingest.channels import Channels
from cloud.ingest.storing import Storing
from cloud.ingest.work import Group, Message
from cloud.metrics import Metrics
from cloud.storage.database import Database
from tests.unit.ingest.test_work import message


class Taken(list[Message]):
    """Messages that the other thread takes away just before somebody looks for the `at`-th time."""

    def __init__(self, at: int) -> None:
        super().__init__([message(1, None)])
        self._left = at

    def __len__(self) -> int:
        self._look()
        return super().__len__()

    def __iter__(self) -> Iterator[Message]:
        self._look()
        return super().__iter__()

    def __getitem__(self, index: Any) -> Any:
        self._look()
        return super().__getitem__(index)

    def _look(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.clear()


@pytest.mark.parametrize("at", range(1, 7))
def test_a_group_that_is_emptied_meanwhile_is_none(at: int) -> None:
    storing = Storing(
        Database(""),
        None,  # type: ignore[arg-type]  # nothing is taken from the backlog here
        Channels(),
        lambda *_: None,
        lambda *_: False,
        Metrics(),
        committed=lambda *_: None,
        unborn=lambda *_: None,
        on_restored=lambda: None,
    )
    storing._at_hand = Group(messages=Taken(at))
    assert storing.oldest in (0.0, None)
    storing._at_hand = None
    assert [storing.oldest] == [None]
