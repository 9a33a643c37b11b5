"""The agent as a whole: wiring and life cycle, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from edge import last_values
from edge.actions import Actions
from edge.answers import Answers
from edge.board import Board
from edge.clock.keeper import ClockKeeper
from edge.commands import Commands
from edge.commissioning.book import Book, write_places
from edge.commissioning.desk import Commissioning
from edge.config import EdgeConfig
from edge.config_change import change
from edge.config_store import Versions
from edge.configuring import Configuring
from edge.disk import open_disk
from edge.drivers.fleet import Fleet
from edge.drivers.runner import DriverRunner
from edge.health import Health
from edge.identity.register import Register
from edge.local import LocalServer
from edge.log import Log
from edge.normalise import Normaliser
from edge.outbox.gather import Gather
from edge.outbox.news import news_of, unreadable
from edge.outbox.store import Block
from edge.outbox.tending import Tender
from edge.outputs import Outputs
from edge.pipeline import Pipeline
from edge.presence import AGENT, Presence
from edge.rules import LocalRules, check_rules, not_ahead
from edge.sets.delivery import Delivery
from edge.status import Report, report
from edge.uplink.uplink import Uplink
from edge.uplink.view import AgentView
from protocols.catalog import DEVICE_TYPES, NODE_TYPE, DeviceType
from protocols.errors import LiandongError, StorageError
from protocols.events import Event, Value
from protocols.rules import Rule


class EdgeAgent:
    """One gateway's agent. Can be started inside a test: `start`, later `stop`."""

    def __init__(
        self,
        config: EdgeConfig,
        versions: Versions | None = None,
        anew: Callable[[EdgeConfig], None] = lambda _: None,
    ) -> None:
        """Check everything that can be checked without touching the disk or a line. Raises ConfigError.

        With `versions` the configuration may come from the cloud; `anew` is called (from any thread) with one that only
        another agent can work by: this one is then to be stopped.
        """
        self._config = config
        self._versions, self.anew = versions, anew
        self._configuring: Configuring | None = None
        self._log = Log("agent")
        self._stack = ExitStack()
        self._fleet = Fleet(config.drivers, self._runner, config.source)
        self._types = self._fleet.types
        check_rules(config.rules, self._types, config.source)
        self._board = Board(self._fleet.device_conditions(), self._fleet.driver_conditions())
        self._presence = Presence(
            self._types,
            lambda event, state: self._pipeline.emit(AGENT, [event], state=state),
            lambda: self._clock.now_ms(),
        )
        self._outputs = Outputs(self._types, self._act, lambda wish: self._pipeline.overruled(wish))

    def start(self) -> None:
        """Open the files and start every part. Raises StorageError; then nothing runs."""
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise

    def stop(self) -> None:
        """Stop everything in order; what was observed is on the disk, the broker has heard NDEATH."""
        self._log.info("stopping")
        self._fleet.halt()
        self._stack.close()
        self._log.info("stopped")

    def report(self) -> Report:
        """The condition of every part, see `edge.status`."""
        uplink = self._config.uplink
        return report(
            uplink=self._uplink.condition,
            broker=f"{uplink.host}:{uplink.port}",
            outbox=self._outbox,
            clock=self._clock,
            board=self._board,
            where=self._commissioning.where(),
            acknowledged=uplink.delivery == "acknowledged",
        )

    def works(self) -> None:
        """Return when what is observed is still taken and worked on. Raises UnavailableError within 10 s otherwise."""
        self._pipeline.between(lambda: None)

    def births(self) -> int:
        """How many births the uplink has made since the start."""
        return self._uplink.condition.births

    def answered(self) -> bool:
        """Whether the newest birth reached whom it was for, over the connection that is wanted now."""
        uplink = self._uplink.condition
        if uplink.stage != "born" or not self._uplink.renewed:
            return False
        return uplink.answered or self._config.uplink.delivery == "plain"

    def online(self) -> Mapping[str, bool | None]:
        """Each device, and whether it answers; None: not known yet."""
        return {device: condition.online for device, condition in self._board.devices().items()}

    def check(self, config: EdgeConfig) -> None:
        """Raise ConfigError for what only the drivers and rules themselves can find."""
        EdgeAgent(config)

    def change(self, config: EdgeConfig) -> None:
        """Work by `config` from now on; drivers whose tables are the same go on undisturbed. Not from two threads.

        Raises ConfigError (nothing changed), UnavailableError when the pipeline is behind: then the change is to be
        taken back by another one.
        """
        made = change(replace(self._config, drivers=self._fleet.entries), config)
        if made.whole:
            self.anew(config)
            return
        runners = self._fleet.made(made.started)
        self._commands.forget()
        self._fleet.remove(made.stopped, staying={runner.name for runner in runners})
        self._fleet.add(runners)
        fresh = {*made.stopped, *(runner.name for runner in runners)}
        self._board.arrange(self._fleet.device_conditions(), self._fleet.driver_conditions(), fresh)
        self._presence.arrange()
        self._pipeline.between(lambda: self._arrange_pipeline(config.rules))
        self._config = config
        self._uplink.renew(config.uplink)
        self._fleet.start()
        names = {"stopped": ",".join(sorted(made.stopped)), "started": ",".join(runner.name for runner in runners)}
        self._log.info("configuration-changed", **names, uplink=made.uplink, rules=made.rules)

    def _arrange_pipeline(self, own: Sequence[Rule]) -> None:
        self._rows.update({device: DEVICE_TYPES[kind] for device, kind in self._types.items()})
        rules = self._delivery.rules(own)
        self._pipeline.judge_by(lambda old: old.succeeded_by(rules, self._types, self._outbox.rule_records()))

    def _configure(self, value: object) -> None:
        if self._configuring is not None:
            self._configuring.hear(value)

    def _start(self) -> None:
        gateway, uplink = self._config.gateway, self._config.uplink
        disk, data = open_disk(self._config, self._stack), gateway.data
        self._clock, self._outbox = disk.clock, disk.outbox
        self._keeper = ClockKeeper(self._clock, self._outbox, disk.remembers, lambda event: self._pipeline.tell(event))
        tender = Tender(self._outbox.tend)
        self._outbox.on_append(tender.wake)
        tender.start()
        self._stack.callback(tender.close)
        self._rows = rows = {"": NODE_TYPE} | {device: DEVICE_TYPES[kind] for device, kind in self._types.items()}
        view = AgentView(
            outbox=self._outbox,
            register=disk.register,
            board=self._board,
            types=rows,
            acknowledged=uplink.delivery == "acknowledged",
            resolve=self._clock.resolve,
        )
        self._delivery = Delivery(
            data / "sets.db",
            host=uplink.primary_host,
            types=self._types,
            judge=lambda: self._pipeline.between(lambda: self._arrange_pipeline(self._delivery.own)),
            deliver=self._fleet.deliver,
            list_places=lambda listed: write_places(data, gateway.group, listed.rows),
            tell=lambda event: self._pipeline.tell(event),
            now_ms=self._clock.now_ms,
        )
        self._commands = Commands(
            host=uplink.primary_host,
            types=self._types,
            away=lambda device: self._board.devices()[device].online is False,
            act=partial(self._outputs.order, by="command"),
            read=self._read,
            configure=self._configure,
            deliver=self._delivery.hear,
            tell=lambda event: self._pipeline.tell(event),
            now_ms=self._clock.now_ms,
            clock=self._clock.steady_s,
            walked=lambda value: self._commissioning.hear(value),
        )
        self._commissioning = Commissioning(
            Book(data),
            self._board,
            host=uplink.primary_host,
            types=self._types,
            outputs=self._outputs,
            firmware=lambda device: self._fleet.runner_of(device).firmware(device),
            tell=lambda event: self._pipeline.tell(event),
            now_ms=self._clock.now_ms,
            utc_ms=self._clock.utc_ms,
            resolve=self._clock.resolve,
            steady=self._clock.steady_s,
        )
        self._uplink = Uplink(
            gateway=gateway,
            settings=uplink,
            bdseq=disk.register.next_bdseq,
            outbox=self._outbox,
            board=self._board,
            view=view,
            lost=self._tell_unreadable,
            commanded=self._commands.hear,
            now_ms=self._clock.utc_ms,
            steady=self._clock.steady_s,
            told=self._keeper.hear,
            agrees=lambda: self._clock.agrees,
        )
        self._stack.callback(self._uplink.close)
        self._start_pipeline(disk.register, rows)
        self._stack.callback(self._keeper.close)
        self._keeper.start()
        self._uplink.start()
        self._stack.callback(self._commissioning.close)
        self._commissioning.start()
        answers = Answers(
            report=self.report,
            outputs=self._outputs,
            commissioning=self._commissioning,
            configuring=lambda: self._configuring,
            tell=self._pipeline.tell,
            now_ms=self._clock.now_ms,
        )
        server = LocalServer(data, answers)
        self._stack.callback(server.close)
        server.start()
        self._start_page()
        self._start_sources()
        self._start_configuring()
        self._stack.callback(self._delivery.close)
        self._delivery.start()

    def _start_page(self) -> None:
        page = self._config.page
        if page is None:
            return
        from edge.page.open import open_page  # its modules cost memory, which most gateways may keep

        served = open_page(page, lambda: self._config, self.report)
        self._stack.callback(served.close)

    def _start_configuring(self) -> None:
        if self._versions is not None:
            self._configuring = Configuring(
                self._versions,
                self,
                host=self._config.uplink.primary_host,
                tell=self._pipeline.tell,
                now_ms=self._clock.now_ms,
            )
            self._stack.callback(self._configuring.close)
            self._configuring.start()

    def _start_pipeline(self, register: Register, rows: Mapping[str, DeviceType]) -> None:
        uplink = self._config.uplink
        actions = Actions(self._outputs, lambda task, error: self._pipeline.settle(task, error))
        records = not_ahead(self._outbox.rule_records(), self._clock.now_ms())
        rules = LocalRules(
            self._delivery.rules(self._config.rules),
            self._types,
            records,
            actions.submit,
            want=self._outputs.want,
            withdraw=actions.withdraw,
        )
        self._pipeline = Pipeline(
            outbox=self._outbox,
            gather=Gather(flush_s=uplink.flush_s, flush_bytes=uplink.flush_bytes),
            normaliser=Normaliser(rows, register.datatype),
            rules=rules,
            board=self._board,
            now_ms=self._clock.now_ms,
            stamp=self._clock.stamp,
        )
        for news in news_of(self._outbox, self._clock.now_ms()):
            self._log.error(news.kind.replace(".", "-"), **news.data)
            self._pipeline.tell_from_inside(news)
        started = {"epoch": str(self._outbox.epoch), "group": self._config.gateway.group}
        event = Event(device="", kind="agent.started", at_ms=self._clock.now_ms(), data=started)
        self._pipeline.tell_from_inside(event)
        self._stack.callback(self._pipeline.close)
        self._stack.callback(actions.close)
        self._stack.callback(self._commands.close)
        self._pipeline.start()

    def _start_sources(self) -> None:
        self._presence.restore(self._outbox.driver_state(AGENT))
        for device, kind in self._types.items():
            stored = self._outbox.driver_state(last_values.name_of(device))
            self._board.remember(device, last_values.read(device, kind, stored))
        health = Health(
            self._outbox,
            self._clock,
            self._config.gateway.data,
            lambda readings: self._pipeline.emit(AGENT, readings),
            period_s=self._config.gateway.health_s,
        )
        self._stack.callback(health.close)
        health.start()
        self._stack.callback(self._fleet.close)
        self._stack.callback(self._commissioning.silence)
        self._fleet.start()
        gateway = self._config.gateway
        self._log.info("started", group=gateway.group, node=gateway.node, epoch=self._outbox.epoch)

    def _runner(self, entry: Any) -> DriverRunner:
        return DriverRunner(
            entry,
            pipeline=lambda: self._pipeline,
            board=lambda: self._board,
            stored_state=lambda name: self._outbox.driver_state(name),
            told=self._device_told,
            clock=lambda: self._clock,
            delivered=lambda: self._delivery.cardholders,
        )

    def _act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        self._fleet.runner_of(device).act(device, output, value, timeout_s)

    def _read(self, device: str, timeout_s: float) -> None:
        self._fleet.runner_of(device).read(device, timeout_s)

    def _device_told(self, driver: str, device: str, online: bool, error: LiandongError | None) -> None:
        self._presence.told(driver, device, online=online, error=error)
        if online:
            self._pipeline.resume(device)
        self._uplink.device_changed(device, online=online)

    def _tell_unreadable(self, block: Block, error: StorageError) -> None:
        lost = unreadable(block, self._clock.now_ms())
        self._log.error("outbox-lost", **lost.data, error=error)
        self._pipeline.tell(lost)
