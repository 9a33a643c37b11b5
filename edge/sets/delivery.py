"""Delivered sets at work: people reach the doors, rules stand beside those of the gateway's own configuration.

Places become the list that `liandong edge commission` knows them by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.sets.content import Listed, fitting
from edge.sets.receiving import Receiving
from edge.sets.store import SetStore
from protocols.events import Event
from protocols.rules import Rule
from protocols.sets import Kind

if TYPE_CHECKING:
    from protocols.access.cardholders import Cardholders


class Delivery:
    """Owns the file and the thread that receives. `own` are the rules of the gateway's configuration."""

    def __init__(
        self,
        path: Path,
        *,
        host: str,
        types: Mapping[str, str],
        judge: Callable[[], None],
        deliver: Callable[[], None],
        list_places: Callable[[Listed], None],
        tell: Callable[[Event], None],
        now_ms: Callable[[], int],
    ) -> None:
        """Open `path`. `judge`: take `rules` anew; `deliver`: let doors know `cardholders`; `list_places`: keep them.

        Raises StorageError.
        """
        self._types = types
        self.own: Sequence[Rule] = ()
        self._unfit = 0
        self._work_by: dict[Kind, Callable[[], None]] = {
            "rules": judge,
            "cardholders": deliver,
            "places": lambda: list_places(self._receiving.places),
        }
        self._store = SetStore(path)
        self._receiving = Receiving(self._store, self, host=host, tell=tell, now_ms=now_ms)

    def hear(self, value: object) -> None:
        """What a host wrote to the metric. Never blocks."""
        self._receiving.hear(value)

    def start(self) -> None:
        """Tell what counts, and begin to listen."""
        self._receiving.start()

    def close(self) -> None:
        """End, and close the file."""
        self._receiving.close()
        self._store.close()

    @property
    def cardholders(self) -> Cardholders | None:
        """Whom the cloud has delivered."""
        return self._receiving.cardholders

    def rules(self, own: Sequence[Rule]) -> list[Rule]:
        """All that counts beside `own` and with it. What cannot be judged here stands aside, and is told."""
        self.own = own
        fit, faults = fitting(own, self._receiving.rules, self._types, self._receiving.number("rules"))
        if faults or self._unfit:
            self._receiving.unfit(faults)
        self._unfit = len(faults)
        return [*own, *fit]

    def check_delivered(self, rules: Sequence[Rule], number: int) -> None:
        """Raise ConfigError when one of `rules` cannot be judged here."""
        _, faults = fitting(self.own, rules, self._types, number)
        if faults:
            raise faults[0]

    def delivered(self, kind: Kind) -> None:
        """Work by what is delivered now. Raises UnavailableError or StorageError when that must be tried again."""
        self._work_by[kind]()
