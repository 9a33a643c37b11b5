"""What two configurations of one gateway have in common: which drivers go on, and whether the agent must begin anew."""

from __future__ import annotations

from dataclasses import dataclass

from edge.config import DriverEntry, EdgeConfig, UplinkTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From one configuration to another. `whole`: the agent begins anew, in the same process."""

    whole: bool
    stopped: frozenset[str]
    started: tuple[DriverEntry, ...]
    uplink: bool
    rules: bool


def change(old: EdgeConfig, new: EdgeConfig) -> Change:
    """How to get from `old` to `new`: drivers whose tables are the same go on undisturbed."""
    before = {entry.name: entry for entry in old.drivers}
    after = {entry.name: entry for entry in new.drivers}
    same = {name for name, entry in after.items() if before.get(name) == entry}
    return Change(
        whole=_founded(old) != _founded(new),
        stopped=frozenset(before.keys() - same),
        started=tuple(entry for name, entry in after.items() if name not in same),
        uplink=old.uplink != new.uplink,
        rules=old.rules != new.rules or before != after,
    )


def _founded(config: EdgeConfig) -> tuple[object, ...]:
    """What an agent is built on."""
    return config.gateway, config.outbox, config.page, _kept(config.uplink)


def _kept(uplink: UplinkTable) -> tuple[object, ...]:
    """What the uplink cannot change under way: whom it talks to, how delivery is confirmed, when it is stored."""
    return uplink.primary_host, uplink.delivery, uplink.flush_s, uplink.flush_bytes
