"""How to break the rules that no monitor sees: one patched node or host per case, and the test that must then fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from edge.drivers.fleet import Fleet
from protocols.sparkplug import host, topics
from protocols.sparkplug.actions import Disconnect, Now, Publish
from protocols.sparkplug.edge_node import EdgeNode
from protocols.sparkplug.host import DeviceDied, Host, NodeDied
from protocols.sparkplug.state_holder import StateHolder
from protocols.sparkplug.topics import MessageType
from tests.unit.edge import test_config
from tests.unit.sparkplug import test_edge_node, test_host, test_state, test_topics

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Planted:
    """With `patch` in place `test` fails where it cites `rule`. `given`: what it is called with."""

    rule: str
    test: Callable[..., object]
    patch: Patch
    given: tuple[Any, ...] = ()


def method(owner: type, name: str, spoiled: Callable[..., Any]) -> Patch:
    """`spoiled` gets the real method first."""
    real = getattr(owner, name)
    return lambda patching: patching.setattr(owner, name, lambda *given, **named: spoiled(real, *given, **named))


def _nothing(_real: object, *_: object) -> list[object]:
    return []


def _blind_to(place: int) -> Patch:
    """Topics are read as if the part at `place` could hold anything."""
    real = topics.parse

    def blind(topic: str) -> object:
        parts = topic.split("/")
        return real("/".join([*parts[:place], "x", *parts[place + 1 :]]))

    return lambda patching: patching.setattr(topics, "parse", blind)


def _no_text(part: str) -> Patch:
    """An id is written as what a program shows of its bytes."""
    real = topics.Topic

    def made(**parts: Any) -> topics.Topic:
        return real(**{**parts, part: str(parts[part].encode())})

    return lambda patching: patching.setattr(topics, "Topic", made)


def _anything_goes(patching: pytest.MonkeyPatch) -> None:
    patching.setattr(topics, "_readable", lambda _: True)


def _says_nothing(_real: object, holder: StateHolder) -> list[object]:
    holder._online = True
    return []


def _birth_too_early(real: Callable[..., list[Any]], holder: StateHolder) -> list[Any]:
    return [*StateHolder.subscribed(holder), *real(holder)]


def _hello(real: Callable[..., list[Any]], holder: StateHolder) -> list[Any]:
    return [Publish(topic="hello", payload=b""), *real(holder)]


def _time_of_the_birth(real: Callable[..., Any], holder: StateHolder, _now_ms: int, **said: Any) -> Any:
    return real(holder, holder.timestamp_ms, **said)


def _subscribes_without(text: str) -> Callable[..., list[Any]]:
    def connected(real: Callable[..., list[Any]], node: EdgeNode) -> list[Any]:
        (subscribe,) = real(node)
        return [replace(subscribe, filters=tuple(name for name in subscribe.filters if text not in name))]

    return connected


def _births_at_once(real: Callable[..., list[Any]], node: EdgeNode) -> list[Any]:
    return [*real(node), *node.birth(Now(at=0, utc_ms=1))]


def _only_leaves(_real: object, _node: object, _now: object) -> list[object]:
    return [Disconnect(reason="stopped", reconnect=False)]


def _leaves_first(real: Callable[..., list[Any]], node: EdgeNode, now: Now) -> list[Any]:
    return real(node, now)[::-1]


def _leaves_for_good(real: Callable[..., Any], node: EdgeNode, now: Now, **said: Any) -> Any:
    return real(node, now, **{**said, "reconnect": False})


def _believes_old_news(real: Callable[..., Any], node: EdgeNode, *said: Any) -> Any:
    node._online_since = None
    return real(node, *said)


def _time_of_the_death(real: Callable[..., list[Any]], own: Host, key: Any, node: Any, payload: Any, now: Now) -> Any:
    actions = real(own, key, node, payload, now)
    return [replace(one, utc_ms=payload.timestamp) if isinstance(one, NodeDied) else one for one in actions]


def _keeps_the_dead(real: Callable[..., list[Any]], own: Host, key: Any, node: Any, payload: Any, now: Now) -> Any:
    actions = real(own, key, node, payload, now)
    if node is not None:
        own._nodes[key] = node
    return actions


def _own_time(real: Callable[..., list[Any]], own: Host, key: Any, node: Any, heard: Any, now: Now, **said: Any) -> Any:
    actions = real(own, key, node, heard, now, **said)
    return [replace(one, utc_ms=now.utc_ms) if isinstance(one, DeviceDied) else one for one in actions]


def _keeps_the_device(
    real: Callable[..., list[Any]], own: Host, key: Any, node: Any, topic: Any, *said: Any, **more: Any
) -> Any:
    before = dict(node.devices)
    actions = real(own, key, node, topic, *said, **more)
    node.devices.update(before)
    return actions


def _no_timer(real: Callable[..., Any], own: Host, key: Any, *said: Any) -> Any:
    actions = real(own, key, *said)
    own._waiting.discard(key)
    return actions


def _never_content(real: Callable[..., Any], own: Host, key: Any, node: Any, heard: Any, now: Now) -> Any:
    actions = real(own, key, node, heard, now)
    node.hole_since = now.at
    own._waiting.add(key)
    return actions


def _only_to_nodes(patching: pytest.MonkeyPatch) -> None:
    real = topics.node_topic
    patching.setattr(topics, "node_topic", lambda group, _kind, node, _device=None: real(group, MessageType.NCMD, node))


_STATE = "operational-behavior-host-application"
_END = "operational-behavior-edge-node-termination-host"
_SERVERS = "operational-behavior-primary-application-state-with-multiple-servers"
_SESSION = test_state.test_session
_SAYS_STATE = (
    "conformance-primary-host",
    "intro-sparkplug-host-state",
    "components-ph-state",
    "host-topic-phid-birth-required",
    f"{_STATE}-connect-birth",
    "message-flow-phid-sparkplug-state-publish",
    f"{_SERVERS}-state",
)
_SUBSCRIBES = ("host-topic-phid-birth-sub-required", "payloads-state-subscribe")
_PARTS = (
    ("group", 1, "spBv1.0/+/NDATA/n"),
    ("edge-node", 3, "spBv1.0/g/NDATA/+"),
    ("device", 4, "spBv1.0/g/DDATA/n/a#"),
)
_DEVICE_TOPIC = topics.Topic(group="Grüße 1", type=MessageType.DCMD, node="N.1", device="桃")
_BORN = test_edge_node.test_without_primary_host_it_births_after_the_subscription

PLANTED: tuple[Planted, ...] = (
    *(Planted(rule, _SESSION, method(StateHolder, "subscribed", _says_nothing)) for rule in _SAYS_STATE),
    *(Planted(rule, _SESSION, method(StateHolder, "connected", _nothing)) for rule in _SUBSCRIBES),
    Planted("message-flow-phid-sparkplug-subscription", _SESSION, method(StateHolder, "connected", _birth_too_early)),
    Planted("host-topic-phid-birth-message", _SESSION, method(StateHolder, "connected", _hello)),
    Planted(
        "host-topic-phid-death-payload-timestamp-disconnect-clean",
        _SESSION,
        method(StateHolder, "_leave", _time_of_the_birth),
    ),
    Planted(f"{_STATE}-termination", _SESSION, method(StateHolder, "stop", _only_leaves)),
    Planted(
        "message-flow-hid-sparkplug-state-message-delivered",
        test_state.test_newer_or_live_death_means_a_new_connection,
        method(StateHolder, "received", lambda *_, **__: []),
        (1000, False),
    ),
    *(
        Planted(
            f"intro-{part}-id-string",
            test_topics.test_parse_and_build,
            _no_text(part.removeprefix("edge-")),
            (str(_DEVICE_TOPIC), _DEVICE_TOPIC),
        )
        for part, *_ in _PARTS
    ),
    *(
        Planted(
            f"intro-{part}-id-chars", test_topics.test_build_refuses_what_no_topic_can_carry, _blind_to(place), ("a+",)
        )
        for part, place, _ in _PARTS
    ),
    *(
        Planted(f"topic-structure-namespace-valid-{part}-id", test_topics.test_no_topic, _anything_goes, (text,))
        for part, _, text in _PARTS
    ),
    Planted(
        "topic-structure-namespace-unique-device-id",
        test_config.test_a_fault_names_its_place,
        method(Fleet, "_check", _nothing),
        ('id = "siren-1"', 'id = "smoke-1"', "twice", {"key": "driver[0].device[1].id"}),
    ),
    Planted("message-flow-edge-node-ncmd-subscribe", _BORN, method(EdgeNode, "connected", _subscribes_without("NCMD"))),
    Planted("message-flow-device-dcmd-subscribe", _BORN, method(EdgeNode, "connected", _subscribes_without("DCMD"))),
    Planted("message-flow-edge-node-birth-publish-connect", _BORN, method(EdgeNode, "connected", _births_at_once)),
    Planted(
        f"{_SERVERS}-state-subs",
        test_edge_node.test_waits_for_its_primary_host,
        method(EdgeNode, "connected", _subscribes_without("STATE")),
    ),
    Planted(
        "operational-behavior-edge-node-intentional-disconnect-ndeath",
        test_edge_node.test_graceful_stop,
        method(EdgeNode, "stop", _only_leaves),
    ),
    Planted(
        "payloads-ndeath-will-message-publisher-disconnect-mqtt311",
        test_edge_node.test_graceful_stop,
        method(EdgeNode, "stop", _leaves_first),
    ),
    Planted(
        f"{_END}-offline-reconnect",
        test_edge_node.test_primary_host_goes_offline,
        method(EdgeNode, "_leave", _leaves_for_good),
    ),
    Planted(
        f"{_END}-offline-timestamp",
        test_edge_node.test_old_offline_is_no_reason_to_leave,
        method(EdgeNode, "_state", _believes_old_news),
    ),
    Planted(
        "operational-behavior-device-ddeath",
        test_edge_node.test_lost_device,
        method(EdgeNode, "device_death", _nothing),
    ),
    Planted(
        f"{_END}-action-ndeath-node-offline", test_host.test_node_death, method(Host, "_node_death", _time_of_the_death)
    ),
    *(
        Planted(
            f"{_END}-action-ndeath-{whose}", test_host.test_node_death, method(Host, "_node_death", _keeps_the_dead)
        )
        for whose in ("node-tags-stale", "devices-offline", "devices-tags-stale")
    ),
    Planted(f"{_END}-action-ddeath-devices-offline", test_host.test_device_death, method(Host, "_deliver", _own_time)),
    Planted(
        f"{_END}-action-ddeath-devices-tags-stale",
        test_host.test_device_death,
        method(Host, "_deliver", _keeps_the_device),
    ),
    Planted(
        "operational-behavior-host-reordering-start",
        test_host.test_hole_is_left_behind_after_the_timeout,
        method(Host, "_hold", _no_timer),
    ),
    Planted(
        "operational-behavior-host-reordering-rebirth",
        test_host.test_hole_is_left_behind_after_the_timeout,
        method(Host, "ask_rebirth", lambda *_: []),
    ),
    Planted(
        "operational-behavior-host-reordering-success",
        test_host.test_reordered_messages_are_put_in_order,
        method(Host, "_in_turn", _never_content),
    ),
    Planted(
        "operational-behavior-data-commands-ncmd-rebirth-name",
        test_host.test_rebirth_request,
        lambda patching: patching.setattr(host, "REBIRTH", "Node Control/Reboot"),
    ),
    Planted("operational-behavior-data-commands-dcmd-verb", test_host.test_device_command, _only_to_nodes),
)
