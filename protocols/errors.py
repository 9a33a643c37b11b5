"""One exception tree for everything a person can act on.

LiandongError
├── ConfigError      what a person wrote in a file or on the command line is not usable (exit code 2)
├── ProtocolError    bytes from a wire or a file do not say what they should
├── DeviceError      a device does not answer, or answers with a refusal
├── StorageError     a file, a disk or a database cannot be used
├── RefusedError     the request is understood, and not allowed or not possible now
└── UnavailableError a service that is needed is away; trying again later helps

An error is a code and parameters; the sentence lives in the catalogue of the package that the code begins with
(``edge.config.unknown-key`` → ``edge/locale/en.toml``), once per language. ``str(error)`` is the English sentence.
"""

from __future__ import annotations


class LiandongError(Exception):
    """An error with a stable `code` and the `params` that its sentence names. The base of the tree."""

    exit_code = 1

    def __init__(self, code: str, /, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.params = params

    def __str__(self) -> str:
        from protocols.messages import sentence

        return sentence(self.code, self.params, "en")

    def texts(self) -> dict[str, str]:
        """The params as texts, to be stored or sent."""
        return {key: str(value) for key, value in self.params.items()}

    def data(self) -> dict[str, object]:
        """Code and params, as the data of an event tell a reason."""
        return {"error": self.code, "params": self.texts()}


class ConfigError(LiandongError):
    """A key, a value or an argument that cannot be used; the sentence names it and says what is allowed."""

    exit_code = 2


class ProtocolError(LiandongError):
    """Bytes that cannot be read; `params` carry `at` (byte offset or line, counted from 0 and 1) where known."""


class DeviceError(LiandongError):
    """A device that is silent, answers wrongly, or refuses a command."""


class StorageError(LiandongError):
    """A file, a disk or a database that cannot be used as it is."""


class RefusedError(LiandongError):
    """A request that is understood and refused: not allowed, already done, too late."""


class UnavailableError(LiandongError):
    """A service that is away. The caller tries again with backoff and jitter."""
