"""Takes the documentation's screenshots from a running street: both pages in both languages, during a smoke alarm.

    tools/screenshots.py [FOLDER]     default: docs/screenshots

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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = ("zh-CN", "en")
READY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 40.0
STORY_TIMEOUT_S = 30.0
PLACE = "peach-garden/3/502"


class ScreenshotError(Exception):
    """The street or its pages did not do what the pictures need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """One page as a person sees it.

    `roles` may open it; `shows` matches the place of the alarm there, in any language; `opens_it`: a click shows more.
    """

    name: str
    path: str
    roles: frozenset[str]
    size: ViewportSize
    dark: bool
    shows: re.Pattern[str]
    opens_it: bool


SCREENS = (
    Screen(
        name="console",
        path="/console",
        roles=frozenset({"operator", "administrator"}),
        size={"width": 1600, "height": 900},
        dark=True,
        shows=re.compile("502"),
        opens_it=True,
    ),
    Screen(
        name="phone",
        path="/phone",
        roles=frozenset({"volunteer"}),
        size={"width": 390, "height": 844},
        dark=False,
        # Before accepting, a volunteer sees the building only.
        shows=re.compile(r"3\s*栋|[Bb]uilding 3"),
        opens_it=False,
    ),
)


def main() -> int:
    """Take all pictures; 0 when done, 1 with one sentence when not."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="liandong-shots-") as scratch, running_street(Path(scratch)) as links:
            take_all(links, Path(scratch), folder)
    except ScreenshotError as error:
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
    """Sign everybody in, make smoke, and photograph each screen in each language."""
    with sync_playwright() as playwright:
        chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if chromium is None:
            raise ScreenshotError("there is no Chromium on this machine: apt-get install chromium fonts-noto-cjk")
        # Chromium's sandbox refuses to start as root; the pages are our own.
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        try:
            visitors = [sign_in(browser, link) for link in links]
            trigger_smoke(scratch / "data")
            pages = [(screen, pick(visitors, screen)) for screen in SCREENS]
            wait_for_offer(next(page for screen, page in pages if screen.name == "phone"))
            for screen, page in pages:
                for language in LANGUAGES:
                    photograph(screen, page, language, folder)
        finally:
            browser.close()


def sign_in(browser: Browser, link: str) -> tuple[Page, set[str]]:
    """Open a one-time link in a browser profile of its own; the page and the roles of the person."""
    page = browser.new_context(timezone_id="Asia/Shanghai").new_page()
    page.goto(link)
    page.wait_for_url(lambda url: "/in" not in url, timeout=STORY_TIMEOUT_S * 1000)
    session = call(page, "GET", "/api/v1/session")
    return page, {role["role"] for role in session["roles"]}


def pick(visitors: list[tuple[Page, set[str]]], screen: Screen) -> Page:
    """The page of the first person who may see the screen."""
    for page, roles in visitors:
        if roles & screen.roles:
            return page
    raise ScreenshotError(f"`liandong up` printed no sign-in link for {' or '.join(sorted(screen.roles))}")


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


def trigger_smoke(data: Path) -> None:
    """Let the simulated smoke detector find smoke."""
    command = [sys.executable, "-m", "liandong", "sim", "trigger", "smoke", "--at", PLACE, "--data", str(data)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=STORY_TIMEOUT_S, check=False)
    if done.returncode:
        raise ScreenshotError(f"smoke could not be triggered: {done.stderr.strip()}")


def wait_for_offer(phone: Page) -> None:
    """Wait until the volunteer has an open offer."""
    deadline = time.monotonic() + STORY_TIMEOUT_S
    while not call(phone, "GET", "/api/v1/me")["offers"]:
        if time.monotonic() > deadline:
            raise ScreenshotError(f"no offer reached the volunteer within {STORY_TIMEOUT_S:.0f} s")
        time.sleep(0.2)


def photograph(screen: Screen, page: Page, language: str, folder: Path) -> None:
    """Show the screen in the language and save the picture."""
    call(page, "PUT", "/api/v1/session/language", {"language": language})
    page.set_viewport_size(screen.size)
    page.emulate_media(color_scheme="dark" if screen.dark else "light", reduced_motion="reduce")
    page.goto(urljoin(page.url, screen.path))
    place = page.get_by_text(screen.shows).first
    place.wait_for(timeout=STORY_TIMEOUT_S * 1000)
    if screen.opens_it:
        place.click()
    # The map and the charts draw after their data came.
    page.wait_for_timeout(1500)
    picture = folder / f"{screen.name}-{language}.png"
    page.screenshot(path=picture)
    print(f"  {picture.relative_to(ROOT) if picture.is_relative_to(ROOT) else picture}")


if __name__ == "__main__":
    sys.exit(main())
