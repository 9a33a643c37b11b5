"""When a node is told what has been stored."""

from __future__ import annotations

import uuid

from cloud.ingest.acknowledge import REPEAT_S, Answers
from cloud.ingest.channels import Channels, Session
from cloud.ingest.commit import Stored
from cloud.ingest.ids import Ids
from protocols.delivery import Acknowledgement, BirthId, Lane, NumberSet
from protocols.sparkplug.actions import Now, Publish
from protocols.sparkplug.payload import decode

NODE = ("estate", "gw-1")
EPOCH = uuid.uuid4()
KEY = (NODE, (EPOCH, Lane.BULK))


class Scene:
    def __init__(self) -> None:
        self.channels = Channels()
        self.sent: list[Publish] = []
        self.answers = Answers("cloud", self.channels, self.sent.append)
        self.born(1)

    def born(self, count: int) -> None:
        birth = BirthId(epoch=EPOCH, count=count)
        self.channels.sessions[NODE] = Session(node=NODE, bdseq=0, birth=birth, declared={})

    def committed(self, numbers: NumberSet, at: float, *, prompt: bool) -> None:
        stored = Stored(ids=Ids(self.channels), answers={KEY: numbers}, prompt={KEY} if prompt else set())
        self.answers.committed(stored, Now(at=at, utc_ms=1))

    def said(self) -> list[Acknowledgement]:
        return [Acknowledgement.parse(str(decode(item.payload).metrics[0].value)) for item in self.sent]


def test_what_is_new_is_acknowledged_at_once_to_the_newest_birth() -> None:
    scene = Scene()
    scene.committed(NumberSet([(1, 1)]), 10.0, prompt=True)
    scene.born(2)
    scene.committed(NumberSet([(1, 2)]), 10.001, prompt=True)
    first, second = scene.said()
    assert (first.birth.count, first.received) == (1, NumberSet([(1, 1)]))
    assert (second.birth.count, second.received) == (2, NumberSet([(1, 2)]))
    assert scene.sent[0].topic == "spBv1.0/estate/NCMD/gw-1"
    assert decode(scene.sent[0].payload).metrics[0].alias == 1


def test_what_was_known_is_acknowledged_again_but_not_too_often() -> None:
    scene = Scene()
    for index in range(10):
        scene.committed(NumberSet([(1, index + 1)]), 10.0 + index * 0.01, prompt=False)
    assert len(scene.sent) == 1
    scene.answers.tick(Now(at=10.0 + REPEAT_S / 2, utc_ms=1))
    assert len(scene.sent) == 1
    scene.answers.tick(Now(at=10.001 + REPEAT_S, utc_ms=1))
    assert scene.said()[-1].received == NumberSet([(1, 10)])
    scene.answers.tick(Now(at=20.0, utc_ms=1))
    assert len(scene.sent) == 2


def test_a_fragmented_set_goes_in_several_messages() -> None:
    scene = Scene()
    numbers = NumberSet([(2 * n, 2 * n) for n in range(1, 501)])
    scene.committed(numbers, 1.0, prompt=True)
    said = scene.said()
    assert len(said) == 3
    together = NumberSet()
    for ack in said:
        together |= ack.received
    assert together == numbers


def test_a_node_that_is_gone_is_not_spoken_to() -> None:
    scene = Scene()
    scene.channels.sessions.clear()
    scene.committed(NumberSet([(1, 1)]), 1.0, prompt=True)
    assert not scene.sent
