"""A real Chromium, spoken to by its own protocol (CDP): what a person does to a page, and what the page shows."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60.0  # seconds; machines that test are busy
KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9, "Enter": 13}
SHIFT, CONTROL = 8, 2
OPTIONS = ("--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-dev-shm-usage")


def find_chromium() -> str | None:
    """The browser's program, where there is one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, count(1)
        self.said: list[str] = []  # errors on the page's console
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call the protocol and wait for its answer."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(PATIENCE))
            if message.get("method") == "Runtime.exceptionThrown":
                self.said.append(json.dumps(message["params"]["exceptionDetails"]))
            if message.get("id") == number:
                assert "error" not in message, f"{method}: {message['error']}"
                result: dict[str, Any] = message["result"]
                return result

    def run(self, code: str) -> Any:
        """What a JavaScript expression gives, awaited if it is a promise."""
        found = self.call("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, code: str) -> Any:
        """Wait until a JavaScript expression is true, and give it."""
        end = time.monotonic() + PATIENCE
        while not (value := self.run(code)):
            assert time.monotonic() < end, (
                f"{code} is {value} on a page that says {self.run('document.body.innerText')}"
            )
            time.sleep(0.02)
        return value

    def open(self, address: str) -> None:
        """Go to an address and wait for the page's own readiness."""
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def key(self, name: str, modifiers: int = 0) -> None:
        """Press a key, a letter or one of KEYS."""
        code = KEYS.get(name) or ord(name.upper())
        event = {"key": name, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        text = {"text": name} if len(name) == 1 and not modifiers & CONTROL else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **event, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def centre(self, selector: str) -> tuple[float, float]:
        """Where the middle of an element lies, in CSS pixels."""
        x, y = self.run(
            f"(() => {{ const box = document.querySelector({selector!r}).getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        return x, y

    def drag(self, selector: str, dx: float, dy: float, steps: int = 4) -> None:
        """Drag an element by so many CSS pixels."""
        x, y = self.centre(selector)
        self.mouse("mousePressed", x, y)
        for step in range(1, steps + 1):
            self.mouse("mouseMoved", x + dx * step / steps, y + dy * step / steps)
        self.mouse("mouseReleased", x + dx, y + dy)

    def mouse(self, kind: str, x: float, y: float) -> None:
        """One event of the left button."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def click(self, selector: str) -> None:
        """Click an element."""
        x, y = self.centre(selector)
        self.mouse("mousePressed", x, y)
        self.mouse("mouseReleased", x, y)

    def look(self, width: int, height: int, *, dark: bool = False) -> bytes:
        """A screenshot as PNG, in a window of this size and one of the two themes."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        theme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=theme)
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


@contextmanager
def chromium(program: str, profile: Path) -> Iterator[Callable[[], Page]]:
    """A browser with a new profile, which opens tabs of 1280 x 800 pixels."""
    command = [program, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}", *OPTIONS]
    if os.geteuid() == 0:
        command.append("--no-sandbox")  # which does not work for root
    with subprocess.Popen([*command, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            place = f"http://127.0.0.1:{_port(profile, process)}/json/new?about:blank"
            with ExitStack() as opened:

                def tab() -> Page:
                    with urlopen(Request(place, method="PUT"), timeout=PATIENCE) as answer:
                        address = json.load(answer)["webSocketDebuggerUrl"]
                    page = Page(
                        opened.enter_context(
                            connect(address, max_size=1 << 28, open_timeout=PATIENCE, ping_interval=None)
                        )
                    )
                    page.look(1280, 800)
                    return page

                yield tab
        finally:
            process.terminate()


def _port(profile: Path, process: "subprocess.Popen[bytes]") -> int:
    told, end = profile / "DevToolsActivePort", time.monotonic() + PATIENCE
    while not told.exists() or not told.read_text().strip():
        assert process.poll() is None, "the browser ended"
        assert time.monotonic() < end, "the browser does not answer"
        time.sleep(0.05)
    return int(told.read_text().split()[0])
