"""Which language the command line speaks: ``LIANDONG_LANG``, else the locale of the terminal, else English."""

from __future__ import annotations

import os
from collections.abc import Callable

from protocols.errors import LiandongError
from protocols.messages import Language, sentence

Say = Callable[..., str]


def terminal_language() -> Language:
    """``zh-CN`` when the person asked for Chinese, else ``en``."""
    wanted = next(
        (os.environ[n] for n in ("LIANDONG_LANG", "LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(n)), "en"
    )
    return "zh-CN" if wanted.lower().startswith("zh") else "en"


def speaker(language: Language) -> Say:
    """``say("liandong.up.ready", url=…)`` → the sentence in `language`."""

    def say(code: str, **params: object) -> str:
        return sentence(code, params, language)

    return say


def explain(error: LiandongError, language: Language) -> str:
    """The sentence of an error in `language`."""
    return sentence(error.code, error.params, language)
