"""Photos lose what a camera adds, keep the picture, and what is no picture is refused; the book survives."""

from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.commissioning.book import FOLDER, Book
from edge.commissioning.door import TRIES, Door
from edge.commissioning.known import keep, remembered
from edge.commissioning.owner import as_owner
from edge.commissioning.photos import MOST_BYTES, Photos, clean
from edge.commissioning.stages import Entry, Proof
from protocols.errors import ConfigError, RefusedError, StorageError

SECRET = b"GPS 29.97,122.29 owner"


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg(*extra: bytes) -> bytes:
    """A picture with two scans, stuffed bytes and a restart marker; `extra` stands before the tables."""
    tables = segment(0xDB, b"\x00" * 65) + segment(0xC2, b"\x08\x00\x01\x00\x01\x01\x01\x11\x00")
    scan = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x12\xff\x00\x34\xff\xd0\x56"
    head = b"\xff\xd8" + segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")
    return head + b"".join(extra) + tables + scan + segment(0xC4, b"\x00" * 17) + scan + b"\xff\xd9"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*extra: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
    )


def test_what_the_camera_wrote_is_gone() -> None:
    exif, comment = segment(0xE1, b"Exif\0\0" + SECRET), segment(0xFE, SECRET)
    assert clean(jpeg(exif, comment, segment(0xED, SECRET)) + SECRET) == ("jpg", jpeg())
    assert clean(png(chunk(b"tEXt", SECRET), chunk(b"eXIf", SECRET)) + SECRET) == ("png", png())


@pytest.mark.parametrize(
    "content",
    [b"", b"GIF89a", b"<svg/>", jpeg()[:-2], jpeg()[:40], png()[:-12], b"\xff\xd8\xff", b"\xff\xd8\xff\xe1\0\0"],
)
def test_what_is_no_whole_picture_is_refused(content: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        clean(content)
    assert refused.value.code == "edge.photo.no-picture"


@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_bytes_do_harm(noise: bytes, at: int) -> None:
    for whole in (jpeg(), png()):
        try:
            clean(whole[:at] + noise + whole[at:])
        except RefusedError as error:
            assert error.code == "edge.photo.no-picture"  # noqa: PT017 - most of it is none


def test_one_photo_a_device_of_bounded_size(tmp_path: Path) -> None:
    photos = Photos(tmp_path)
    photos.keep("door-1", jpeg())
    photos.keep("door-1", png())
    assert photos.find("door-1") == ("image/png", png())
    assert len(list((tmp_path / FOLDER / "photos").iterdir())) == 1
    assert photos.find("door-2") is None
    with pytest.raises(RefusedError) as refused:
        photos.keep("door-1", jpeg() + b"\0" * MOST_BYTES)
    assert refused.value.code == "edge.photo.too-large"
    assert photos.find("door-1") == ("image/png", png())


def test_the_book_is_there_after_a_restart_and_a_damaged_one_is_set_aside(tmp_path: Path) -> None:
    entry = Entry(type="smoke", place="3/1", name="门厅", version=7, at_ms=7, tested=Proof(at_ms=9, what="smoke"))
    Book(tmp_path).write({"smoke-1": entry})
    assert Book(tmp_path).entries() == {"smoke-1": entry}
    (tmp_path / FOLDER / "book.json").write_text('{"devices": {"smoke-1": ')
    assert Book(tmp_path).entries() == {}
    assert (tmp_path / FOLDER / "book.damaged").exists()


def test_a_good_book_that_cannot_be_read_now_is_neither_set_aside_nor_written_over(tmp_path: Path) -> None:
    entry = Entry(type="smoke", place="3/1", name="", version=7, at_ms=7)
    Book(tmp_path).write({"smoke-1": entry})
    path, away = tmp_path / FOLDER / "book.json", tmp_path / "away"
    path.rename(away)
    path.mkdir()  # reading it is an OSError, as an I/O error is, also for root
    book = Book(tmp_path)
    assert book.entries() == {}
    with pytest.raises(StorageError):
        book.write({"door-1": entry})
    assert [one.name for one in path.parent.iterdir()] == ["book.json"]
    path.rmdir()
    away.rename(path)
    book.write({"door-1": entry})
    assert book.entries() == Book(tmp_path).entries() == {"smoke-1": entry, "door-1": entry}


def test_a_damaged_book_that_cannot_be_set_aside_lets_the_agent_start(tmp_path: Path) -> None:
    path = tmp_path / FOLDER / "book.json"
    path.with_suffix(".damaged").mkdir(parents=True)
    path.write_text("{")
    book = Book(tmp_path)
    with pytest.raises(StorageError):
        book.write({})
    assert (book.entries(), path.read_text()) == ({}, "{")
    path.with_suffix(".damaged").rmdir()
    assert (book.entries(), path.with_suffix(".damaged").read_text()) == ({}, "{")


def test_the_code_works_once() -> None:
    door = Door()
    assert door.enter("") is None
    token = door.enter(f" {door.code.lower()} ")
    assert token is not None
    assert door.knows(token)
    assert not door.knows("")
    assert not door.knows(token + "x")
    assert (door.enter(door.code), door.shut) == (None, True)


def test_who_guesses_shuts_the_door() -> None:
    door = Door()
    for _ in range(TRIES):
        assert door.enter("AAAA-AAAA") is None
    assert (door.enter(door.code), door.shut) == (None, True)


def test_the_list_of_places(tmp_path: Path) -> None:
    source = tmp_path / "list.json"
    rows = [
        {"place": "3", "kind": "building", "name": {"zh-CN": "3 号楼", "en": "Building 3"}},
        {"place": "3/1", "kind": "unit", "name": {"zh-CN": "1 单元", "en": "Unit 1"}},
        {"place": "3/1/502", "kind": "home", "name": {"zh-CN": "502 室", "en": "Flat 502"}},
    ]
    source.write_text(json.dumps({"group": "garden", "places": rows}), "utf-8")
    assert len(remembered(tmp_path, "garden")) == 0
    assert keep(tmp_path, "garden", source).name("3/1/502", "en") == "Building 3, Unit 1, Flat 502"
    known = remembered(tmp_path, "garden")
    assert ("3/1/502" in known, "3/1/503" in known) == (True, False)
    assert (known.name("3/1/503", "en"), known.near("502"), known.near("3/1/520")) == (
        "",
        ["3/1/502"],
        ["3/1/502", "3/1"],
    )
    for text in ("{", '{"group": "other", "places": []}', '{"group": "garden", "places": [{"place": "../x"}]}'):
        source.write_text(text)
        with pytest.raises(ConfigError):
            keep(tmp_path, "garden", source)
    assert len(remembered(tmp_path, "garden")) == 3


def test_what_root_keeps_is_the_agents() -> None:
    owner = 65534 if os.geteuid() == 0 else os.geteuid()  # the agent's user, where a test may have one
    with TemporaryDirectory() as folder:
        data = Path(folder)
        os.chown(data, owner, owner if owner == 65534 else -1)
        listed = data / "listed.json"
        listed.write_text(json.dumps({"group": "estate", "places": [{"place": "3/1"}]}), "utf-8")
        keep(data, "estate", listed)
        Photos(data).keep("smoke-1", jpeg())
        assert {path.stat().st_uid for path in (data / FOLDER).rglob("*")} == {owner}
        with as_owner(data):
            Book(data).write({"smoke-1": Entry(type="smoke", place="3/1", name="", version=1, at_ms=1)})
    assert os.geteuid() in (0, owner)
