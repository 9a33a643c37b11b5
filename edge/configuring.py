"""Configurations from the primary host: offered, ticketed, received in pieces, tried, confirmed or rolled back.

The uplink and the devices are asked how they are until the trial is over (see `edge.config_trial`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from edge.config import EdgeConfig
from edge.config_store import Versions
from edge.config_trial import Attempt, Outcome, Trial, Version, outcome_of
from edge.drivers.awaited import Awaited
from edge.inbox import Expected, Inbox
from edge.log import Log
from protocols import configuration
from protocols.configuration import Offer, Piece
from protocols.errors import LiandongError, ProtocolError, RefusedError, UnavailableError
from protocols.events import Event

REREAD_S: Final = 20.0
"""How long a person waits until the file on the spot is read and applied."""
APPLYING: Final = "edge.config.applying"
"""The code of the error that leaves open whether it is applied."""
_LOOK_S: Final = 0.2
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
class _Expected(Expected[Offer]):
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
        self._versions, self._agent = versions, agent
        self._tell, self._now_ms, self._clock = tell, now_ms, clock
        self._log = Log("config")
        self._inbox: Inbox[Offer, Piece] = Inbox(
            "configuration",
            self._log,
            host=host,
            read=configuration.read,
            offered=self._offered,
            received=self._received,
            between=self._look,
        )
        self._expected: _Expected | None = None

    def hear(self, value: object) -> None:
        """What a host wrote to the metric. Never blocks."""
        self._inbox.hear(value)

    def answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """A person at the gateway asks for the text that runs, if it came from afar, or wants the file read again.

        Raises RefusedError while a version is on trial or the agent has no time for it, ConfigError for what is
        wrong in it; then nothing changed. Raises UnavailableError where it is still being applied.
        """
        if request.get("do") != "reread":
            return {"text": self._versions.text_from_afar()}
        wanted = _Reread()
        self._inbox.do(lambda: self._reread(wanted))
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
        self._inbox.start()

    def close(self) -> None:
        """End. A trial that is under way is over with the process, unless the agent begins anew for it."""
        self._inbox.close()

    def _look(self) -> float | None:
        """Whether the trial is over; when to look again, None without a trial."""
        if self._versions.trial is not None:
            self._judge(self._versions.trial)
        return None if self._versions.trial is None else _LOOK_S

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

    def _offered(self, offer: Offer) -> None:
        record = self._versions.record
        if record.last is not None and record.last.attempt.id == offer.id:
            self._tell_outcome(record.last)
        elif record.trying is not None:
            self._log.info("configuration-busy", number=record.trying.version.number)
        elif (
            self._expected is not None and self._expected.offer.id == offer.id and self._clock() < self._expected.until
        ):
            self._log.info("configuration-known", id=offer.id)
        else:
            self._expected = _Expected(offer=offer, until=self._clock() + configuration.TICKET_S)
            self._say(configuration.READY, _attempt(offer), ticket=str(self._expected.ticket))

    def _received(self, piece: Piece) -> None:
        expected = self._expected
        if expected is None or not expected.fits(piece, self._clock()) or piece.piece >= expected.offer.pieces:
            self._log.warning("configuration-without-ticket", id=piece.id)
            return
        expected.pieces[piece.piece] = piece.text
        if len(expected.pieces) == expected.offer.pieces:
            self._expected = None
            self._try(expected)

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
        self._inbox.stopping.wait(_TOLD_S)
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
