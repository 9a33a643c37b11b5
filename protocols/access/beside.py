"""Cardholders of two origins at one door: what the cloud delivered, beside the file of the person on the spot.

Who is delivered counts as delivered: the file's entry of the same id adds its codes and nothing else, and a delivered
card is that person's wherever the file has it. So a card that is withdrawn in the cloud opens nothing, whatever a
forgotten file says. Whom only the file knows counts by the file. Each origin keeps its own hours, holidays and zone.
Where a set was delivered and cannot be read, nobody can tell whom the cloud has taken away: nobody counts (`UNUSABLE`).
"""

from __future__ import annotations

from typing import Final

from protocols.access.cardholders import Cardholder, Cardholders, Owner

UNUSABLE: Final = Cardholders(version="unusable")
"""Stands for a delivered set that cannot be read: it counts alone, until the cloud has delivered again."""


class Beside:
    """A `Roll` of both. Made in no time, whatever they hold: it looks into the two."""

    def __init__(self, delivered: Cardholders, file: Cardholders) -> None:
        self._delivered, self._file = delivered, file
        known = delivered.by_id.keys()
        self.people = len(known | file.by_id.keys())
        self.passback_exempt = delivered.passback_exempt | (file.passback_exempt - known)

    def owner_of_card(self, identity: tuple[int, bytes]) -> Owner | None:
        """The delivered owner; else the file's, unless the cloud knows that person and the card no more."""
        found = self._delivered.owner_of_card(identity)
        if found is not None:
            return found
        filed = self._file.owner_of_card(identity)
        return None if filed is None or filed[0].id in self._delivered.by_id else filed

    def owner_of_code(self, code: str) -> Owner | None:
        """The file's, for codes do not come down; as the delivered person where there is one."""
        filed = self._file.owner_of_code(code)
        return None if filed is None else (self._delivered.by_id.get(filed[0].id, filed[0]), filed[1])

    def home_of(self, person: Cardholder) -> Cardholders:
        """Where `person` counts."""
        return self._delivered if person.id in self._delivered.by_id else self._file
