"""A headless Chromium, spoken to in its DevTools protocol: what the test of a page needs of it, and no more.

    with Browser(folder) as browser:
        page = browser.page(url)
        page.wait("document.querySelector('h1')")
        page.type("secret"); page.press("Enter")
        page.shot(file, dark=True)
        page.problems, page.requests
"""
from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import time
from pathlib import Path

import websocket

from .proc import Process
from .rpc import wait_for
from .tools import Missing

START_TIMEOUT_S = 60
WAIT_S = 30
# Nothing but the page: no updates, no lookups, no rest of a session.
ARGUMENTS = ["--headless=new", "--remote-debugging-port=0", "--no-first-run", "--no-default-browser-check", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-default-apps", "--disable-gpu",
             "--disable-dev-shm-usage", "--mute-audio", "--hide-scrollbars", "--force-color-profile=srgb", "--remote-allow-origins=*",
             "--lang=en-GB", "--window-size=1280,900"]
KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), "Escape": (27, ""), " ": (32, " ")}


class PageError(AssertionError):
    """The page threw, or did not come to what was waited for."""


class Browser:
    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        program = shutil.which("chromium")
        if program is None:
            raise Missing("chromium", "script/install test brings chromium")
        # Its own sandbox refuses root; what it opens is our page.
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        self.folder = folder
        self.process = Process([program, *ARGUMENTS, *sandbox, f"--user-data-dir={folder / 'profile'}", "about:blank"], folder / "chromium.log")
        self.port = 0

    def __enter__(self) -> "Browser":
        told = self.folder / "profile" / "DevToolsActivePort"

        def port() -> int:
            self.process.check()
            lines = told.read_text().split() if told.exists() else []
            return int(lines[0]) if lines else 0

        try:
            self.port = wait_for(port, START_TIMEOUT_S, f"chromium ({self.process.log_path})", 0.1)
        except BaseException:
            self.process.stop()
            raise
        return self

    def __exit__(self, *_):
        self.process.stop()

    def _ask(self, method: str, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_TIMEOUT_S)
        connection.request(method, path)
        return connection.getresponse().read()

    def close(self, page: "Page") -> None:
        page.socket.close()
        self._ask("GET", f"/json/close/{page.target}")

    def page(self, url: str, **look) -> "Page":
        target = json.loads(self._ask("PUT", "/json/new?about:blank"))
        page = Page(self, target["id"], target["webSocketDebuggerUrl"])
        page.call("Page.bringToFront")
        page.look(**look)
        page.go(url)
        return page


class Page:
    """problems: errors of the console, of scripts and of the policy; requests: every URL that was asked for."""

    def __init__(self, browser: Browser, target: str, url: str):
        self.browser, self.target = browser, target
        self.socket = websocket.create_connection(url, timeout=WAIT_S, suppress_origin=True)
        self.number = 0
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.loaded = 0
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            self.call(f"{domain}.enable")

    # ---- the protocol ----

    def call(self, method: str, **params) -> dict:
        self.number += 1
        mine = self.number
        self.socket.send(json.dumps({"id": mine, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == mine:
                if "error" in message:
                    raise PageError(f"{method}: {message['error']['message']}")
                return message["result"]
            self._heard(message)

    def _heard(self, message: dict) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Page.loadEventFired":
            self.loaded += 1
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.problems.append(" ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    # ---- what a test does ----

    def go(self, url: str) -> None:
        before = self.loaded
        self.call("Page.navigate", url=url)
        self.until(lambda: self.loaded > before, f"the load of {url}")

    def until(self, done, what: str, timeout_s: float = WAIT_S):
        """Waits while the browser goes on telling."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = done()
            if found:
                return found
            if time.monotonic() > deadline:
                raise PageError(f"not within {timeout_s} s: {what}\n{self.problems[:3]}")
            self.run("new Promise(done => setTimeout(done, 50))")

    def run(self, script: str):
        """The value of an expression, of a promise what it becomes."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise PageError(result["exceptionDetails"].get("exception", {}).get("description", script))
        return result["result"].get("value")

    def wait(self, script: str, timeout_s: float = WAIT_S):
        # An element has no value that could be carried: that it is there is one.
        there = f"Promise.resolve({script}).then(v => v instanceof Node ? true : v)"
        return self.until(lambda: self.run(there), script, timeout_s)

    def text(self, selector: str = "body") -> str:
        return self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def press(self, key: str, shift: bool = False) -> None:
        code, text = KEYS[key]
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def focused(self) -> str:
        """The name of what has the focus, as assistive technology gets it."""
        return self.run("(e => e === document.body ? '' : (e.getAttribute('aria-label') || document.getElementById(e.getAttribute('aria-labelledby'))?.innerText"
                        " || e.labels?.[0]?.innerText || e.innerText || e.id).trim())"
                        "(document.activeElement)")

    def tree(self) -> list[dict]:
        """What assistive technology sees: role, name and whether it may be focused, of every node that is not ignored."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [{"role": n.get("role", {}).get("value", ""), "name": n.get("name", {}).get("value", ""),
                 "focusable": any(p["name"] == "focusable" and p["value"].get("value") for p in n.get("properties", []))}
                for n in nodes if not n.get("ignored")]

    def look(self, dark: bool = False, still: bool = False, width: int = 1280, height: int = 900) -> None:
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"}])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def shot(self, file: Path, whole: bool = False) -> None:
        image = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(image["data"]))

    def close(self) -> None:
        self.browser.close(self)
