"""The running agent's part: it keeps the book, tells the cloud, lets a device be found, and follows the walk test.

Whoever walks through the devices (`liandong edge commission`, in a terminal or on its page) asks at the local socket,
so that only who may read the agent's data directory can change anything here.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from edge.board import Board
from edge.commissioning import stages, walk
from edge.commissioning.book import Book
from edge.commissioning.stages import Proof
from edge.commissioning.triggers import Trigger
from edge.log import Log
from edge.outputs import Outputs
from protocols import commissioning
from protocols.catalog import DEVICE_TYPES
from protocols.errors import ConfigError, LiandongError, ProtocolError, RefusedError
from protocols.events import Event

SIGNAL_S: Final = 8.0
"""How long a device may take to confirm that it beeps."""
_SOUND_S: Final = 2.0
"""How long a siren sounds to be found."""
_OFF_S: Final = 4.0
"""How long it may take to confirm that it is silent."""
_AGAIN_S: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
"""When it is tried again to silence one. A real alarm that begins there meanwhile ends it at once."""
_BY: Final = "commissioning"
_LOOK_S: Final = 1.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sounding:
    """Until when (monotonic), and how often it was told in vain to be silent."""

    until: float
    tries: int = 0


class Commissioning:
    """`hear` and `note` never block; `answer` is for the threads of the local socket."""

    def __init__(
        self,
        book: Book,
        board: Board,
        *,
        host: str,
        types: Mapping[str, str],
        outputs: Outputs,
        firmware: Callable[[str], str],
        tell: Callable[[Event], None],
        now_ms: Callable[[], int],
        utc_ms: Callable[[], int],
        resolve: Callable[[int], int],
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """`types`: device → row of the catalogue, as it is now; `now_ms`: agent time; `resolve`: a stamp as UTC."""
        self._book, self._board, self._host, self._types = book, board, host, types
        self._outputs, self._tell, self._now_ms, self._utc_ms = outputs, tell, now_ms, utc_ms
        self._resolve, self._steady, self._firmware = resolve, steady, firmware
        self._log = Log("commissioning")
        self._changed = threading.Condition()
        self._walk: walk.Walk | None = None
        self._ticked: dict[str, Proof] = {}
        self._unwritten: dict[str, Proof] = {}
        self._sounding: dict[str, _Sounding] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="commissioning", daemon=True)
        board.triggers.tell(self.note)

    def start(self) -> None:
        """Tell where the devices hang (the cloud may have forgotten), and begin to listen."""
        for device, entry in self._book.entries().items():
            if device in self._types:
                self._tell_placed(device, entry)
        self._thread.start()

    def close(self) -> None:
        """Write down what was heard, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(5.0)

    def silence(self) -> None:
        """The agent ends: whatever sounds to be found is switched off while its driver still runs."""
        self._switch_off(float("inf"))

    def hear(self, value: object) -> None:
        """What a host wrote to the metric of walk tests."""
        try:
            said = commissioning.read(value)
        except ProtocolError as error:
            self._log.warning("walk-test-refused", error=error)
            return
        if said.host != self._host:
            self._log.warning("walk-test-of-another-host", host=said.host)
            return
        with self._changed:
            self._step(walk.hear(self._walk, said, self._steady()))

    def note(self, trigger: Trigger) -> None:
        """A device was worked."""
        with self._changed:
            if self._walk is not None and self._walk.state in ("running", "unheard"):
                found = Proof(at_ms=self._resolve(trigger.at_ms), what=trigger.what)
                self._ticked[trigger.device] = self._unwritten[trigger.device] = found
                self._changed.notify_all()

    def where(self) -> dict[str, str]:
        """By device, where it hangs and what it is called there; only those of which somebody said so."""
        return {device: f"{one.place} {one.name}".strip() for device, one in self._book.entries().items()}

    def answer(self, request: Mapping[str, Any]) -> Json:
        """A request at the local socket. Raises LiandongError for what cannot be done."""
        match request:
            case {"identify": str(device)}:
                self._identify(device)
            case {"device": str(device), "place": str(place), "name": str(name)}:
                self._place(device, place, name)
            case {"minutes": int(minutes)}:
                self._ask(minutes)
            case {"stop": True}:
                self._stop()
        return self._overview()

    def _overview(self) -> Json:
        entries, triggers = self._book.entries(), self._board.triggers.newest()
        with self._changed:
            self._step(walk.elapse(self._walk, self._steady()))
            shown, ticked = self._walk, dict(self._ticked)
        devices = []
        for device, condition in self._board.devices().items():
            entry, trigger = entries.get(device), triggers.get(device)
            proof = ticked.get(device) or (entry.tested if entry is not None else None)
            devices.append(
                {
                    "id": device,
                    "type": condition.type,
                    "online": condition.online,
                    "stage": stages.stage(entry, condition.type),
                    "place": entry.place if entry is not None else "",
                    "name": entry.name if entry is not None else "",
                    "placed_ms": entry.at_ms if entry is not None else None,
                    "tested": None if proof is None else {"at_ms": proof.at_ms, "what": proof.what},
                    "ticked": device in ticked,
                    "firmware": self._firmware(device),
                    "signals": _signal(condition.type) is not None,
                    "trigger": None if trigger is None else self._shown(trigger),
                }
            )
        return {"devices": devices, "walk": self._shown_walk(shown), "at_ms": self._utc_ms(), "version": _version()}

    def _shown(self, trigger: Trigger) -> Json:
        at_ms = self._resolve(trigger.at_ms)
        return {"number": trigger.number, "what": trigger.what, "value": trigger.value, "at_ms": at_ms}

    def _shown_walk(self, shown: walk.Walk | None) -> Json | None:
        if shown is None:
            return None
        left_s = max(0, round(shown.until - self._steady()))
        return {"id": str(shown.id), "state": shown.state, "minutes": shown.minutes, "left_s": left_s}

    def _identify(self, device: str) -> None:
        signal = _signal(self._type(device))
        if signal is None:
            raise RefusedError("edge.commission.no-signal", device=device)
        if signal == "sound" and self._alarms(device):
            raise RefusedError("edge.commission.sounding", device=device)
        try:
            self._outputs.order(device, signal, True, SIGNAL_S, by=_BY, yields=True)
        finally:  # one that has not confirmed may sound all the same
            if signal == "sound":
                with self._changed:
                    self._sounding[device] = _Sounding(until=self._steady() + _SOUND_S)
                    self._changed.notify_all()

    def _alarms(self, device: str) -> bool:
        """Whether a siren sounds, and not to be found: nobody may silence it by looking for it."""
        latest = self._board.known(device).get("sounding")
        with self._changed:
            return latest is not None and latest.value is True and device not in self._sounding

    def _switch_off(self, now: float) -> None:
        """Silence what has sounded long enough; who does not confirm is tried again, a few times."""
        with self._changed:
            due = {device: one for device, one in self._sounding.items() if one.until <= now}
            for device in due:
                del self._sounding[device]
        for device, one in due.items():
            try:
                self._outputs.end(device, "sound", False, _OFF_S, by=_BY)
            except RefusedError as error:
                self._log.info("left-as-it-is", device=device, error=error)
            except LiandongError as error:
                self._log.error("not-silenced", device=device, tries=one.tries + 1, error=error)
                if one.tries < len(_AGAIN_S):
                    again = _Sounding(until=self._steady() + _AGAIN_S[one.tries], tries=one.tries + 1)
                    with self._changed:
                        self._sounding.setdefault(device, again)

    def _place(self, device: str, place: str, name: str) -> None:
        kind = self._type(device)
        place, name = commissioning.place_of(place), commissioning.name_of(name)
        before = self._book.entries().get(device)
        entry = stages.place(before, type_now=kind, place=place, name=name, now_ms=self._utc_ms())
        if entry == before:
            return
        self._book.write({device: entry})
        self._log.info("device-placed", device=device, place=place)
        self._tell_placed(device, entry)

    def _ask(self, minutes: int) -> None:
        if not 1 <= minutes <= commissioning.MAX_MINUTES:
            raise ConfigError("edge.walk.minutes", value=minutes, limit=commissioning.MAX_MINUTES)
        with self._changed:
            before = walk.elapse(self._walk, self._steady())
            asked = walk.ask(before, uuid.uuid4(), minutes, self._steady())
            self._step(asked)
        if asked is not before:
            self._tell_node(commissioning.ASKED, {"id": str(asked.id), "minutes": minutes})

    def _stop(self) -> None:
        with self._changed:
            before = self._walk
            self._step(walk.stop(before, self._steady()))
        if before is not None and before.state != "over":
            self._tell_node(commissioning.STOPPED, {"id": str(before.id)})

    def _step(self, after: walk.Walk | None) -> None:
        """The walk test stands like this now. Under the lock."""
        before, self._walk = self._walk, after
        if after is not None and (before is None or before.id != after.id):
            self._ticked.clear()
        if after is not None and (before is None or (before.id, before.state) != (after.id, after.state)):
            self._log.info("walk-test", id=after.id, state=after.state)
            self._changed.notify_all()

    def _run(self) -> None:
        closing = False
        while not closing:
            with self._changed:
                if not self._closing and not self._unwritten:
                    self._changed.wait(self._pause())
                closing = self._closing
                self._step(walk.elapse(self._walk, self._steady()))
                unwritten, self._unwritten = self._unwritten, {}
            self._write_down(unwritten)
            if not closing:
                self._switch_off(self._steady())

    def _pause(self) -> float | None:
        """Seconds until something is due; None for never. Under the lock."""
        waits = [max(0.0, one.until - self._steady()) for one in self._sounding.values()]
        if self._walk is not None and self._walk.state != "over":
            waits.append(_LOOK_S)
        return min(waits, default=None)

    def _write_down(self, found: Mapping[str, Proof]) -> None:
        entries = self._book.entries()
        changed: dict[str, stages.Entry] = {}
        for device, proof in found.items():
            entry = stages.tested(entries.get(device), self._types.get(device, ""), proof)
            if entry is not None:
                changed[device] = entry
        try:
            if changed:
                self._book.write(changed)
        except LiandongError as error:
            self._log.error("book-not-written", error=error)

    def _type(self, device: str) -> str:
        kind = self._types.get(device)
        if kind is None:
            raise ConfigError("edge.local.device", device=device, known=", ".join(self._types) or "-")
        return kind

    def _tell_placed(self, device: str, entry: stages.Entry) -> None:
        said = {"device": device, "type": self._types[device], "version": entry.version, "place": entry.place}
        self._tell_node(commissioning.PLACED, said | {"name": entry.name})

    def _tell_node(self, kind: str, data: Json) -> None:
        self._tell(Event(device="", kind=kind, at_ms=self._now_ms(), data=data))


def _signal(type_code: str) -> str | None:
    """The output by which a device of this type can be found."""
    row = DEVICE_TYPES.get(type_code)
    return next((output for output in ("beep", "sound") if row is not None and output in row.outputs), None)


def _version() -> str:
    from importlib.metadata import version  # costs memory, which an agent that nobody commissions may keep

    try:
        return version("liandong")
    except ModuleNotFoundError:
        return ""
