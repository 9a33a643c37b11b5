"""The names and numbers of OSDP 2.2 (IEC 60839-11-5, annex A)."""

from __future__ import annotations

from typing import Final

COMMANDS: Final = {
    0x60: "POLL",
    0x61: "ID",
    0x62: "CAP",
    0x63: "DIAG",
    0x64: "LSTAT",
    0x65: "ISTAT",
    0x66: "OSTAT",
    0x67: "RSTAT",
    0x68: "OUT",
    0x69: "LED",
    0x6A: "BUZ",
    0x6B: "TEXT",
    0x6C: "RMODE",
    0x6D: "TDSET",
    0x6E: "COMSET",
    0x6F: "DATA",
    0x71: "PROMPT",
    0x73: "BIOREAD",
    0x74: "BIOMATCH",
    0x75: "KEYSET",
    0x76: "CHLNG",
    0x77: "SCRYPT",
    0x7B: "ACURXSIZE",
    0x7C: "FILETRANSFER",
    0x80: "MFG",
    0xA1: "XWR",
    0xA2: "ABORT",
    0xA3: "PIVDATA",
    0xA4: "GENAUTH",
    0xA5: "CRAUTH",
    0xA7: "KEEPACTIVE",
}

REPLIES: Final = {
    0x40: "ACK",
    0x41: "NAK",
    0x45: "PDID",
    0x46: "PDCAP",
    0x48: "LSTATR",
    0x49: "ISTATR",
    0x4A: "OSTATR",
    0x4B: "RSTATR",
    0x50: "RAW",
    0x51: "FMT",
    0x53: "KEYPAD",
    0x54: "COM",
    0x57: "BIOREADR",
    0x58: "BIOMATCHR",
    0x76: "CCRYPT",
    0x78: "RMAC_I",
    0x79: "BUSY",
    0x7A: "FTSTAT",
    0x80: "PIVDATAR",
    0x81: "GENAUTHR",
    0x82: "CRAUTHR",
    0x83: "MFGSTATR",
    0x84: "MFGERRR",
    0x90: "MFGREP",
    0xB1: "XRD",
}

SECURITY_BLOCKS: Final = {
    0x11: "SCS_11 challenge",
    0x12: "SCS_12 client cryptogram",
    0x13: "SCS_13 server cryptogram",
    0x14: "SCS_14 initial reply MAC",
    0x15: "SCS_15 command, MAC",
    0x16: "SCS_16 reply, MAC",
    0x17: "SCS_17 command, MAC and encryption",
    0x18: "SCS_18 reply, MAC and encryption",
}

NAK_REASONS: Final = {
    0x00: "no-error",
    0x01: "bad-check",
    0x02: "bad-length",
    0x03: "unknown-command",
    0x04: "unexpected-sequence",
    0x05: "secure-channel-not-supported",
    0x06: "secure-channel-required",
    0x07: "biometric-type-not-supported",
    0x08: "biometric-format-not-supported",
    0x09: "cannot-process",
}

CAPABILITIES: Final = {
    1: "contact-monitoring",
    2: "output-control",
    3: "card-format",
    4: "led",
    5: "buzzer",
    6: "text",
    7: "clock",
    8: "check-crc",
    9: "secure-channel",
    10: "receive-buffer",
    11: "largest-message",
    12: "smart-card",
    13: "readers",
    14: "biometrics",
    15: "secure-pin",
    16: "osdp-version",
}

LED_COLOURS: Final = ("off", "red", "green", "amber", "blue", "magenta", "cyan", "white")
