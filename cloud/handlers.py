"""Which timer is handled by whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from cloud.alerting.judge import Judge
from cloud.due import Handler
from cloud.ingest import losses
from cloud.loop import alarms, commands, offers, placings, versions, waves
from cloud.loop.alarms import SqlAlarmStore
from cloud.loop.placings import GoingLive
from cloud.loop.walktests import WalkTests
from cloud.loop.work import Work
from cloud.loop.writer import Writer
from cloud.notify import outbox
from cloud.notify.channels import Channel


def handlers(
    judge: Judge, channels: Mapping[str, Channel], writer: Writer, *, time_zone: str = "Asia/Shanghai"
) -> Mapping[str, Handler]:
    """Handlers by the kind of timer. `time_zone`: the street's, in which hours of doors are meant."""

    def no_movement(work: Work, ref: str) -> None:
        offers.release_silent(work, UUID(ref.partition("/")[0]))

    def elapse(work: Work, ref: str) -> datetime | None:
        return alarms.elapse_rule(work, judge, ref)

    def send(work: Work, ref: str) -> datetime | None:
        return outbox.send(work.tx, int(ref), channels, work.now)

    def look_for_losses(work: Work, _ref: str) -> datetime:
        losses.look(work.tx, work.now)
        return work.now + losses.LOOK

    courier, walks = commands.Courier(writer), WalkTests(judge, SqlAlarmStore, writer)
    configurations, sets = versions.configurations(writer), versions.cardholders_and_rules(writer)

    return {
        losses.TIMER: look_for_losses,
        "dispatch.wave": _once(waves.dispatch_wave),
        "offer.expire": _once(waves.expire),
        "assignment.no-movement": _once(no_movement),
        "rule.elapse": elapse,
        "alarm.release": _once(lambda work, ref: alarms.release_devices(work, judge, ref)),
        "notify.send": send,
        "command.ask": courier.ask,
        "command.confirm": courier.confirm,
        "command.expire": commands.expire,
        "configuration.offer": configurations.offer,
        "configuration.send": configurations.send,
        "set.build": _once(lambda work, ref: versions.build_set(work, ref, time_zone)),
        "set.offer": sets.offer,
        "set.send": sets.send,
        "placing.take": placings.take,
        "device.live": GoingLive(judge, SqlAlarmStore),
        "walk-test.end": walks.end,
        "walk-test.settle": walks.settle,
        "walk-test.tell": walks.tell,
    }


def _once(handle: Callable[[Work, str], None]) -> Handler:
    """A handler whose timer is never due again."""

    def handler(work: Work, ref: str) -> datetime | None:
        handle(work, ref)
        return None

    return handler
