"""Takes the documentation's screenshots from a running street: both pages in both languages, during a smoke alarm.

    tools/screenshots.py [FOLDER]     default: docs/images

Starts its own `liandong up` on a free port and a temporary data directory, and stops it. Needs Chromium on the machine.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Error, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = ("zh-CN", "en")
READY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 40.0
STORY_TIMEOUT_S = 30.0
PLACE = "peach-garden/3/502"


class ScreenshotError(Exception):
    """The street or its pages did not do what the pictures need."""


PHONE: Final[dict[str, Any]] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
    "color_scheme": "light",
}
CONSOLE_STEPS: Final = ("[data-alarm][data-severity=P4]", "j", "[data-incident] canvas")
CONSOLE: Final[dict[str, Any]] = {"viewport": {"width": 1600, "height": 900}}


def main() -> int:
    """Take all pictures; 0 when done, 1 with one sentence when not."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="liandong-shots-") as scratch, running_street(Path(scratch)) as links:
            take_all(links, Path(scratch), folder)
    except (ScreenshotError, Error) as error:
        print(f"No screenshots: {error}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def running_street(scratch: Path) -> Iterator[list[str]]:
    """A street of our own; gives its sign-in links."""
    said = scratch / "up.log"
    command = [sys.executable, "-m", "liandong", "up", "--data", str(scratch / "data"), "--port", str(free_port())]
    with said.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield sign_in_links(process, said)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)


def free_port() -> int:
    """A TCP port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def sign_in_links(process: subprocess.Popen[bytes], said: Path) -> list[str]:
    """Wait until the street is up and return the links that it printed."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        text = said.read_text(encoding="utf-8", errors="replace")
        # The hint what to try comes after the last link.
        if "sim trigger smoke" in text:
            return re.findall(r"http://\S+/in#\S+", text)
        if process.poll() is not None:
            raise ScreenshotError(f"`liandong up` ended with exit code {process.returncode}:\n{text[-2000:]}")
        time.sleep(0.1)
    raise ScreenshotError(f"`liandong up` was not ready within {READY_TIMEOUT_S:.0f} s:\n{text[-2000:]}")


def take_all(links: list[str], scratch: Path, folder: Path) -> None:
    """Sign in an operator and a volunteer, let things happen, and photograph both pages in each language."""
    operator_link, volunteer_link = links[:2]
    data = scratch / "data"
    with chromium() as browser:
        console, phone = sign_in(browser, operator_link, **CONSOLE), sign_in(browser, volunteer_link, **PHONE)
        trigger(data, "smoke", PLACE)
        offer = wait_for_offer(phone)
        for language in LANGUAGES:
            photograph(phone, "phone", language, folder, "[data-offer]")
        for step in (f"offers/{offer}/accept", f"assignments/{offer}/on-the-way"):
            call(phone, "POST", f"/api/v1/{step}", {"action_id": str(uuid.uuid4())})
        for name in ("leak", "vending-jam"):
            trigger(data, name)
        for language in LANGUAGES:
            photograph(
                console, "console", language, folder, "[data-severity=P4][data-alarm]", "j", "[data-incident] canvas"
            )


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's own browser, without a window."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        raise ScreenshotError("there is no Chromium on this machine: apt-get install chromium fonts-noto-cjk")
    with sync_playwright() as playwright:
        # Chromium's sandbox refuses to start as root; the pages are our own.
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        try:
            yield browser
        finally:
            browser.close()


def sign_in(browser: Browser, link: str, **options: Any) -> Page:
    """Open a one-time link in a browser profile of its own."""
    page = browser.new_context(reduced_motion="reduce", **options).new_page()
    page.goto(link)
    page.wait_for_url(lambda url: "/in" not in url, timeout=STORY_TIMEOUT_S * 1000)
    page.wait_for_selector("[data-stream=live]")
    return page


def call(page: Page, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """Call the API as the page itself would."""
    return page.evaluate(
        """async ([method, path, body]) => {
            const headers = body ? {"Content-Type": "application/json"} : {};
            const answer = await fetch(path, {method, headers, body: body && JSON.stringify(body)});
            if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`);
            const text = await answer.text();
            return text ? JSON.parse(text) : null;
        }""",
        [method, path, body],
    )


def trigger(data: Path, name: str, place: str | None = None) -> None:
    """Make something happen in the simulated estate."""
    command = [sys.executable, "-m", "liandong", "sim", "trigger", name, "--data", str(data)]
    command += ["--at", place] if place else []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=STORY_TIMEOUT_S, check=False)
    if done.returncode:
        raise ScreenshotError(f"{name} could not be triggered: {done.stderr.strip()}")


def wait_for_offer(phone: Page) -> str:
    """The open offer of the volunteer, as soon as it is on the page."""
    card = phone.locator("[data-offer]").first
    card.wait_for(timeout=STORY_TIMEOUT_S * 1000)
    return card.get_attribute("data-offer") or ""


def photograph(page: Page, name: str, language: str, folder: Path, *steps: str) -> None:
    """Show the page in the language and save the picture. Steps: a selector to wait for, or a key to press."""
    call(page, "PUT", "/api/v1/session/language", {"language": language})
    page.reload()
    for step in steps:
        if len(step) == 1:
            page.keyboard.press(step)
        else:
            page.locator(step).first.wait_for(timeout=STORY_TIMEOUT_S * 1000)
    # The map comes to rest after its data came.
    page.wait_for_timeout(1500)
    picture = folder / f"{name}-{language}.png"
    page.screenshot(path=picture)
    print(f"  {picture.relative_to(ROOT) if picture.is_relative_to(ROOT) else picture}")


if __name__ == "__main__":
    sys.exit(main())
