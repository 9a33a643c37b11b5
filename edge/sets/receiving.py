"""Sets from the primary host: offered, ticketed, received page by page, checked, stored, worked by.

What a door or a rule goes by changes in one step, after the whole set is on the disk. `cardholders` and `rules` are
what counts now, for any thread; so are `places`, which only whoever commissions needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from edge.inbox import Expected, Inbox
from edge.log import Log
from edge.sets.content import Listed, read_places, read_rules
from edge.sets.store import Held, SetStore, nothing_held
from protocols import sets
from protocols.errors import LiandongError, RefusedError, StorageError, UnavailableError
from protocols.events import Event
from protocols.rules import Rule
from protocols.sets import Kind, Offer, Page, Sent

if TYPE_CHECKING:
    from edge.sets.people import PeopleReader
    from protocols.access.cardholders import Cardholders

_RETRY_S: Final = 1.0


class Agent(Protocol):
    """What works by delivered sets. Called from the receiving thread."""

    def check_delivered(self, rules: Sequence[Rule], number: int) -> None:
        """Raise ConfigError when one of `rules` cannot be judged here."""

    def delivered(self, kind: Kind) -> None:
        """Work by what is delivered now. Raises UnavailableError or StorageError when that must be tried again."""


class Receiving:
    """Owns its thread; the store is the caller's."""

    def __init__(
        self,
        store: SetStore,
        agent: Agent,
        *,
        host: str,
        tell: Callable[[Event], None],
        now_ms: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read what is stored: it counts from the first moment on. `tell` stores an event; `clock` is monotonic."""
        self._store, self._agent = store, agent
        self._tell, self._now_ms, self._clock = tell, now_ms, clock
        self._log = Log("sets")
        self._people: PeopleReader | None = None
        self._inbox: Inbox[Offer, Page | Sent] = Inbox(
            "set", self._log, host=host, read=sets.read, offered=self._offered, received=self._received
        )
        self._expected: dict[Kind, Expected[Offer]] = {}
        self._held = nothing_held()
        self._behind: set[Kind] = set()  # what is held, and not worked by yet
        self.cardholders: Cardholders | None = None
        self.rules: tuple[Rule, ...] = ()
        self.places = Listed()
        for kind in sets.KINDS_OF_SETS:
            self._restore(kind)

    def number(self, kind: Kind) -> int:
        """The version that counts now; 0: none was delivered."""
        return self._held[kind].number

    def hear(self, value: object) -> None:
        """What a host wrote to the metric. Never blocks."""
        self._inbox.hear(value)

    def start(self) -> None:
        """Tell what counts, and begin to listen."""
        for held in self._held.values():
            self._say(sets.RUNNING, held, count=self._count(held.kind))
        self._inbox.start()

    def close(self) -> None:
        """End; what has arrived stays on the disk."""
        self._inbox.close()

    def unfit(self, faults: Sequence[LiandongError]) -> None:
        """Tell that some of the delivered rules cannot be judged at the moment, with the first reason; or none."""
        why = faults[0].data() if faults else {}
        self._inbox.do(lambda: self._say(sets.UNFIT, self._held["rules"], count=len(faults), **why))

    def _restore(self, kind: Kind) -> None:
        try:
            held = self._store.held(kind)
            if held.number:
                self._store.mark(kind)
                self._take(held, self._content(held))
        except LiandongError as error:  # of another release, or damaged: the cloud delivers again
            self._log.error("set-unusable", kind=kind, error=error)
        if kind == "cardholders" and self.cardholders is None and self._store.delivered_before(kind):
            from protocols.access.beside import UNUSABLE  # costs memory where there are no doors

            self._log.error("nobody-passes", kind=kind)
            self.cardholders = UNUSABLE

    def _offered(self, offer: Offer) -> None:
        held, wanted = self._held[offer.kind], Held(kind=offer.kind, number=offer.number, pages=offer.pages)
        if wanted == held:
            if offer.kind in self._behind:
                self._work_by(offer.kind)
            self._say(sets.APPLIED, held, id=str(offer.id), count=self._count(offer.kind))
            return
        if offer.number <= held.number:
            error = RefusedError("edge.sets.older", number=offer.number, held=held.number)
            self._refuse(offer, error)
            return
        expected = self._expected.get(offer.kind)
        if expected is None or expected.offer.id != offer.id or self._clock() >= expected.until:
            self._store.expect(offer.kind, offer.pages)
            expected = Expected(offer=offer, until=self._clock() + sets.TICKET_S)
            self._expected[offer.kind] = expected
        self._ask(expected)

    def _ask(self, expected: Expected[Offer]) -> None:
        """Tell which pages are to come next."""
        offer = expected.offer
        wants = self._store.lacking(offer.pages)[: sets.WANTS]
        self._say(sets.READY, _held(offer), id=str(offer.id), ticket=str(expected.ticket), wants=wants)

    def _received(self, said: Page | Sent) -> None:
        expected = next((one for one in self._expected.values() if one.fits(said, self._clock())), None)
        if expected is None:
            self._log.warning("set-without-ticket", id=said.id)
            return
        expected.until = self._clock() + sets.TICKET_S
        offer = expected.offer
        if isinstance(said, Page):
            if said.page < len(offer.pages):
                name = offer.pages[said.page]
                self._store.keep(name, sets.unpack(said.text, name))
        elif self._store.lacking(offer.pages):
            self._ask(expected)
        else:
            del self._expected[offer.kind]
            self._complete(offer)

    def _complete(self, offer: Offer) -> None:
        """Everything is here: check, store, work by it; or say why not, and go on as before."""
        held = _held(offer)
        try:
            content = self._content(held)
            if isinstance(content, tuple):
                self._agent.check_delivered(content, held.number)
        except StorageError:
            raise
        except LiandongError as error:
            self._refuse(offer, error)
            return
        self._store.hold(held)
        self._take(held, content)
        self._work_by(offer.kind)
        self._say(sets.APPLIED, held, id=str(offer.id), count=self._count(offer.kind))

    def _content(self, held: Held) -> Cardholders | Listed | tuple[Rule, ...]:
        pages = self._store.pages(held.pages)
        if held.kind == "places":
            return read_places(held.number, pages)
        if held.kind == "rules":
            return read_rules(held.number, pages)
        if self._people is None:
            from edge.sets.people import PeopleReader  # its modules cost memory, which gateways without doors may keep

            self._people = PeopleReader()
        return self._people.read(held.number, held.pages, pages)

    def _take(self, held: Held, content: Cardholders | Listed | tuple[Rule, ...]) -> None:
        if isinstance(content, tuple):
            self.rules = content
        elif isinstance(content, Listed):
            self.places = content
        else:
            self.cardholders = content
        self._held[held.kind] = held

    def _work_by(self, kind: Kind) -> None:
        """Until the agent does: nothing is told as applied before. What it raises else is tried again when offered."""
        self._behind.add(kind)
        while not self._inbox.stopping.is_set():
            try:
                self._agent.delivered(kind)
            except (UnavailableError, StorageError) as error:
                self._log.warning("set-waits", kind=kind, error=error)
                self._inbox.stopping.wait(_RETRY_S)
            else:
                self._behind.discard(kind)
                return

    def _count(self, kind: Kind) -> int:
        if kind == "rules":
            return len(self.rules)
        if kind == "places":
            return len(self.places.rows)
        return 0 if self.cardholders is None else self.cardholders.people

    def _refuse(self, offer: Offer, error: LiandongError) -> None:
        self._say(sets.REFUSED, _held(offer), id=str(offer.id), held=self._held[offer.kind].number, **error.data())

    def _say(self, event: str, which: Held, **more: Any) -> None:
        data: Mapping[str, Any] = {"kind": which.kind, "number": which.number, "hash": which.hash} | more
        self._log.info(event.replace(".", "-"), **{key: data.get(key) for key in ("kind", "number", "count", "error")})
        self._tell(Event(device="", kind=event, at_ms=self._now_ms(), data=data))


def _held(offer: Offer) -> Held:
    return Held(kind=offer.kind, number=offer.number, pages=offer.pages)
