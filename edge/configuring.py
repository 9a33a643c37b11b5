"""Configurations from the primary host: offered, ticketed, received in pieces, tried, confirmed or rolled back.

A thread of its own works; `hear` only puts what came into a bounded queue. The uplink and the devices are asked how
they are until the trial is over (see `edge.config_trial`).
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol
from uuid import UUID

from edge.config import EdgeConfig
from edge.config_store import Versions
from edge.config_trial import Attempt, Outcome, Trial, Version, outcome_of
from edge.drivers.awaited import Awaited
from edge.log import Log
from protocols import configuration
from protocols.configuration import Offer, Piece
from protocols.errors import LiandongError, ProtocolError, RefusedError, UnavailableError
from protocols.events import Event

MAX_WAITING: Final = 4 * configuration.MAX_PIECES
REREAD_S: Final = 20.0
"""How long a person waits until the file on the spot is read and applied."""
APPLYING: Final = "edge.config.applying"
"""The code of the error that leaves open whether it is applied."""
_LOOK_S: Final = 0.2
_IDLE_S: Final = 1.0
_TOLD_S: Final = 0.5
"""What is tried may cut the uplink: what was told before has this long to leave."""


class Agent(Protocol):
    """What of the agent a configuration changes and proves itself by. Any thread."""

    def births(self) -> int:
        """How many births the uplink has made."""

    def answered(self) -> bool:
        """Whether the cloud has answered the newest birth."""

    def online(self) -> Mapping[str, bool | None]:
        """Each device, and whether it answers; None: not known yet."""

    def check(self, config: EdgeConfig) -> None:
        """Raise ConfigError for what only the drivers and rules themselves can find."""

    def change(self, config: EdgeConfig) -> None:
        """Work by `config` from now on; births again afterwards. May stop and start the agent as a whole."""

    def anew(self, config: EdgeConfig) -> None:
        """Let another agent work by `config`."""


@dataclass(slots=True, kw_only=True)
class _Expected:
    offer: Offer
    ticket: UUID
    until: float
    pieces: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True, eq=False)
class _Reread(Awaited):
    """Somebody on the spot has changed the file. Whoever claims it first may: to apply it, or to give it up."""

    _token: threading.Lock = field(default_factory=threading.Lock, init=False)

    def claim(self) -> bool:
        """Whether nobody has before."""
        return self._token.acquire(blocking=False)


class Configuring:
    """One agent's share in it; `versions` outlives the agent."""

    def __init__(
        self,
        versions: Versions,
        agent: Agent,
        *,
        host: str,
        tell: Callable[[Event], None],
        now_ms: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._versions, self._agent, self._host = versions, agent, host
        self._tell, self._now_ms, self._clock = tell, now_ms, clock
        self._log = Log("config")
        self._heard: queue.Queue[object] = queue.Queue(MAX_WAITING)
        self._expected: _Expected | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="configuring", daemon=True)

    def hear(self, value: object) -> None:
        """What a host wrote to the metric. Never blocks: with too many waiting it is dropped, and comes again."""
        try:
            self._heard.put_nowait(value)
        except queue.Full:
            self._log.warning("configuration-message-dropped", limit=MAX_WAITING)

    def answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """A person at the gateway asks for the text that runs, if it came from afar, or wants the file read again.

        Raises RefusedError while a version is on trial or the agent has no time for it, ConfigError for what is
        wrong in it; then nothing changed. Raises UnavailableError where it is still being applied.
        """
        if request.get("do") != "reread":
            return {"text": self._versions.text_from_afar()}
        wanted = _Reread()
        self.hear(wanted)
        if not wanted.wait(REREAD_S):
            if wanted.claim():
                raise RefusedError("edge.config.busy", seconds=REREAD_S)
            raise UnavailableError(APPLYING, seconds=REREAD_S)
        return {"ok": True}

    def start(self) -> None:
        """Tell what runs, and begin to listen; a trial that made the agent begin anew goes on."""
        self._tell_running()
        if self._versions.trial is not None:
            # This agent has never worked by anything else: its first birth may be made and answered by now.
            self._versions.trial = replace(self._versions.trial, births=0)
        self._thread.start()

    def close(self) -> None:
        """End. A trial that is under way is over with the process, unless the agent begins anew for it."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(5.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                value = self._heard.get(timeout=_IDLE_S if self._versions.trial is None else _LOOK_S)
            except queue.Empty:
                value = None
            try:
                if isinstance(value, _Reread):
                    self._reread(value)
                elif value is not None:
                    self._read(value)
                if self._versions.trial is not None and not self._stop.is_set():
                    self._judge(self._versions.trial)
            except LiandongError as error:
                self._log.error("configuration-failed", error=error)
                self._stop.wait(_IDLE_S)
            except Exception:  # noqa: BLE001 - a trial must come to its end whatever one message does
                self._log.error("configuration-crashed", trace=True)
                self._stop.wait(_IDLE_S)

    def _reread(self, wanted: _Reread) -> None:
        if not wanted.claim():
            return
        error: LiandongError | None = RefusedError("edge.config.crashed", why="reread")
        try:
            if self._versions.trial is not None:
                raise RefusedError("edge.config.on-trial")
            config = self._versions.reread(self._agent.check)
            try:
                self._agent.change(config)
            except UnavailableError:
                self._agent.anew(config)
            self._tell_running()
            error = None
        except LiandongError as failure:
            error = failure
        finally:
            wanted.finish(error)

    def _read(self, value: object) -> None:
        try:
            said = configuration.read(value)
        except ProtocolError as error:
            self._log.warning("configuration-message-refused", error=error)
            return
        if said.host != self._host:
            self._log.warning("configuration-of-another-host", host=said.host)
        elif isinstance(said, Offer):
            self._offered(said)
        else:
            self._received(said)

    def _offered(self, offer: Offer) -> None:
        record = self._versions.record
        if record.last is not None and record.last.attempt.id == offer.id:
            self._tell_outcome(record.last)
        elif record.trying is not None:
            self._log.info("configuration-busy", number=record.trying.version.number)
        elif self._expected is not None and self._expected.offer.id == offer.id and self._in_time(self._expected):
            self._log.info("configuration-known", id=offer.id)
        else:
            until = self._clock() + configuration.TICKET_S
            self._expected = _Expected(offer=offer, ticket=uuid.uuid4(), until=until)
            self._say(configuration.READY, _attempt(offer), ticket=str(self._expected.ticket))

    def _received(self, piece: Piece) -> None:
        expected = self._expected
        if expected is None or (expected.offer.id, expected.ticket) != (piece.id, piece.ticket):
            self._log.warning("configuration-without-ticket", id=piece.id)
            return
        if not self._in_time(expected) or piece.piece >= expected.offer.pieces:
            self._log.warning("configuration-too-late", id=piece.id)
            return
        expected.pieces[piece.piece] = piece.text
        if len(expected.pieces) == expected.offer.pieces:
            self._expected = None
            self._try(expected)

    def _in_time(self, expected: _Expected) -> bool:
        return self._clock() < expected.until

    def _try(self, expected: _Expected) -> None:
        attempt = _attempt(expected.offer)
        try:
            text = configuration.from_pieces([expected.pieces[n] for n in sorted(expected.pieces)])
            config = self._versions.check(text, attempt.version.number, self._agent.check)
            if configuration.content_hash(configuration.parse(text)) != attempt.version.hash:
                raise ProtocolError("protocols.configuration.damaged")
            self._versions.begin(attempt, text)
        except Exception as error:  # noqa: BLE001 - whatever it is, who sent it must hear of it
            if not isinstance(error, LiandongError):
                self._log.error("configuration-check-crashed", trace=True)
            outcome = outcome_of(configuration.REFUSED, attempt, _why(error))
            self._versions.note(outcome)
            self._tell_outcome(outcome)
            return
        self._say(configuration.TRYING, attempt)
        self._stop.wait(_TOLD_S)
        answering = {device for device, online in self._agent.online().items() if online}
        self._versions.trial = Trial(
            devices=frozenset(answering & config_devices(config)),
            births=self._agent.births(),
            until=self._clock() + attempt.hold_s,
            hold_s=attempt.hold_s,
        )
        try:
            self._agent.change(config)
        except Exception as error:  # noqa: BLE001 - whatever it is, the gateway goes back to what worked
            self._log.error("configuration-not-applied", trace=True)
            self._roll_back(_why(error))

    def _judge(self, trial: Trial) -> None:
        agent = self._agent
        try:
            verdict = trial.judge(
                births=agent.births(), answered=agent.answered(), online=agent.online(), now=self._clock()
            )
        except LiandongError as error:
            self._roll_back(error)
            return
        if verdict == "confirm":
            self._versions.confirm()
            self._told_last()

    def _roll_back(self, error: LiandongError) -> None:
        config = self._versions.fall_back(error)
        self._told_last()
        try:
            self._agent.change(config)
        except Exception:  # noqa: BLE001 - what cannot go back step by step begins anew
            self._log.error("configuration-not-taken-back", trace=True)
            self._agent.anew(config)

    def _told_last(self) -> None:
        last = self._versions.record.last
        assert last is not None
        self._tell_outcome(last)

    def _tell_outcome(self, outcome: Outcome) -> None:
        self._event(outcome.kind, outcome.data())

    def _say(self, kind: str, attempt: Attempt, **more: Any) -> None:
        version = attempt.version
        self._event(kind, {"id": str(attempt.id), "number": version.number, "hash": version.hash} | more)

    def _tell_running(self) -> None:
        """What runs since this start, with its text where no host can have it, and what became of the last wish."""
        record = self._versions.record
        running = {"number": record.running.number, "hash": record.running.hash}
        last = record.last
        told = running if last is None else running | {"last": last.data() | {"kind": last.kind}}
        self._event(configuration.RUNNING, told)
        text = self._versions.local_text()
        if text is not None and self._versions.trial is None:
            pieces = configuration.to_pieces(text)
            for number, piece in enumerate(pieces):
                self._event(configuration.TEXT, running | {"piece": number, "pieces": len(pieces), "text": piece})

    def _event(self, kind: str, data: Mapping[str, Any]) -> None:
        if kind != configuration.TEXT:
            self._log.info(kind.replace(".", "-"), **{key: data.get(key) for key in ("id", "number", "error")})
        self._tell(Event(device="", kind=kind, at_ms=self._now_ms(), data=data))


def config_devices(config: EdgeConfig) -> set[str]:
    """The ids of the devices that `config` names."""
    return {device.id for entry in config.drivers for device in getattr(entry.settings, "device", ())}


def _why(error: Exception) -> LiandongError:
    return error if isinstance(error, LiandongError) else RefusedError("edge.config.crashed", why=repr(error))


def _attempt(offer: Offer) -> Attempt:
    version = Version(number=offer.number, hash=offer.hash)
    return Attempt(id=offer.id, version=version, hold_s=float(offer.hold_s))
