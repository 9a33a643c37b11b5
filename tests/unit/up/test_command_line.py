"""What the command line says to a wrong call, in both languages, and to a terminal that cannot show it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from liandong.cli import main


@pytest.mark.parametrize(
    ("words", "english", "chinese"),
    [
        (["frob"], "COMMAND cannot be 'frob'. Possible: 'up'", "命令 不能是 'frob'。可选：'up'"),
        (["up", "--frob"], "--frob is not known here", "不认识 --frob"),
        (["up", "--port", "0"], "--port 0 is not possible", "--port 0 不可用"),
        (["up", "--port"], "--port needs a value", "--port 需要一个值"),
        (["up", "--speed", "x"], "--speed needs a number, not 'x'", "--speed 应为数字，而不是 'x'"),
        (["up", "--speed", "nan"], "--speed nan is not possible", "--speed nan 不可用"),
        (["sim", "trigger"], "name is missing. See: liandong sim trigger --help", "缺少 name"),
    ],
)
def test_a_wrong_call_is_one_sentence(
    words: list[str],
    english: str,
    chinese: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for language, expected in (("en", english), ("zh-CN", chinese)):
        monkeypatch.setenv("LIANDONG_LANG", language)
        assert main(words) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"liandong: {expected}")
        assert said.count("\n") == 1


def test_help_is_in_the_readers_language(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LIANDONG_LANG", "zh-CN")
    with pytest.raises(SystemExit):
        main(["sim", "trigger", "--help"])
    said = capsys.readouterr().out
    assert said.startswith("用法：liandong sim trigger [-h]")
    assert "usage" not in said
    assert "show this" not in said


def test_a_terminal_without_chinese_gets_no_traceback() -> None:
    environment = os.environ | {"LIANDONG_LANG": "zh-CN", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "liandong", "--help"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == ""
