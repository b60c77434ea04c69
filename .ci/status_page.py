"""Looks at the status page of the example `embed` as people do, in headless Chromium, and keeps screenshots.

    python3 .ci/status_page.py target/debug/examples/embed target/status-page

It speaks the DevTools protocol over a pipe, so that it needs nothing but Python and Chromium. Ends with 1 where something is wrong.
"""

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DESIRED = "Number(document.querySelector('.desired dd')?.textContent ?? -1)"


class Browser:
    def __init__(self, folder):
        # The browser reads from its descriptor 3 and writes to 4.
        down, self.write = os.pipe()
        self.read, up = os.pipe()
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe"]
        command = ["chromium", *options, f"--user-data-dir={folder}", "about:blank"]
        shell = ["bash", "-c", f'exec 3<&{down} 4>&{up}; exec "$@"', "bash", *command]
        self.process = subprocess.Popen(shell, pass_fds=(down, up), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(down)
        os.close(up)
        self.buffer, self.number, self.session, self.complaints = b"", 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def receive(self):
        while b"\0" not in self.buffer:
            part = os.read(self.read, 1 << 16)
            if not part:
                sys.exit("Chromium ended")
            self.buffer += part
        message, _, self.buffer = self.buffer.partition(b"\0")
        message = json.loads(message)
        told = message.get("params", {})
        match message.get("method"):
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning", "assert"):
                self.complaints.append(json.dumps(told["args"]))
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(told["exceptionDetails"]))
            case "Log.entryAdded" if told["entry"]["level"] in ("error", "warning"):
                self.complaints.append(json.dumps(told["entry"]))
        return message

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            sys.exit(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def open(self, url):
        self.call("Page.navigate", url=url)
        while self.receive().get("method") != "Page.loadEventFired":
            pass

    def look(self, width, height, scheme):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]))


def ensure(holds, what):
    if not holds:
        sys.exit(f"the status page: {what}")
    print(f"ok: {what}")


def wait_for(browser, expression, what, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if browser.evaluate(expression):
            return ensure(True, what)
        time.sleep(0.5)
    ensure(False, f"{what} (not within {seconds} s)")


def main():
    embed, pictures = sys.argv[1], Path(sys.argv[2])
    pictures.mkdir(parents=True, exist_ok=True)
    service = subprocess.Popen([embed, "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True)
    try:
        url = re.search(r"http://\S+", service.stderr.readline())[0]
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            browser = Browser(folder)
            try:
                check(browser, url, pictures)
            finally:
                browser.process.terminate()
                browser.process.wait()
    finally:
        service.terminate()
        service.wait()


def check(browser, url, pictures):
    browser.look(1200, 900, "light")
    browser.open(url)
    ensure(browser.evaluate("document.title") == "jibri-scaler", "it loads")
    browser.evaluate("window.loadedOnce = true")
    wait_for(browser, f"{DESIRED} > 0", "it shows a group")
    first = browser.evaluate(DESIRED)
    wait_for(browser, f"{DESIRED} > Math.max({first}, 4)", f"it shows the group grow from {first}, and refreshes by itself", 120)
    ensure(browser.evaluate("window.loadedOnce"), "it was loaded only once for that")
    browser.evaluate("document.querySelector('details').open = true")
    time.sleep(4)
    ensure(browser.evaluate("document.querySelector('details').open"), "what was opened stays open")
    light = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    browser.screenshot(pictures / "light.png")
    browser.look(375, 800, "dark")
    ensure(browser.evaluate("getComputedStyle(document.body).backgroundColor") != light, "it has a dark look")
    wide = browser.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    ensure(wide <= 0, "a phone need not scroll sideways")
    browser.screenshot(pictures / "dark-phone.png")
    ensure(not browser.complaints, f"nothing is in the console: {browser.complaints}")
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(url)
    browser.screenshot(pictures / "without-script.png")
    shown = browser.call("DOM.getDocument", depth=-1)
    ensure("may it go?" in json.dumps(shown), "it is whole without JavaScript")


if __name__ == "__main__":
    main()
