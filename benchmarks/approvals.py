"""How long until an approval page can be used, beside a static page of the same size; with a thousand requests open.

Both are loaded by the same Chromium on loopback, in turns and in one run, each time by a new connection. Printed are
the medians of `domComplete` from the start of the navigation, and the ratio. Nothing is judged.
"""

from __future__ import annotations

import argparse
import http.server
import shutil
import statistics
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tmux_sentry.testing.window import opened
from tmux_sentry_approval_web.backend import WebApprovals
from tmux_sentry_approval_web.settings import Settings

READY = "const n = performance.getEntriesByType('navigation')[0]; return n.domComplete;"


@contextmanager
def static(body: bytes) -> Iterator[str]:
    """A server of one page that is there already."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def chromium(folder: str) -> Iterator[webdriver.Chrome]:
    """A headless Chromium. Exits when it is not installed."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        sys.exit("chromium or chromedriver is missing: scripts/setup test installs them")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", f"--user-data-dir={folder}"):  # fmt: skip
        options.add_argument(flag)
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


def compare(chrome: webdriver.Chrome, name: str, ours: str, theirs: str, rounds: int) -> None:
    """Load both in turns and print."""
    times: dict[str, list[float]] = {ours: [], theirs: []}
    for number in range(rounds + 2):
        for url, found in times.items():
            chrome.get(url)
            ready = float(chrome.execute_script(READY))
            if number >= 2:  # the first ones warm caches up
                found.append(ready)
    page, plain = (statistics.median(found) for found in times.values())
    print(f"{name:<24} {page:7.1f} ms   static {plain:7.1f} ms   ratio {page / plain:.2f}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="loads of each page")
    parser.add_argument("--requests", type=int, default=1000, help="requests that wait")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder) / "state.db") as office:
        asked = [office.ask(f"make {number}", stage=f"s{number}") for number in range(options.requests)]
        backend = WebApprovals(Settings(port=0))
        backend.serve(office.window)
        try:
            link = f"{backend.origin}/a/{office.link(asked[0])}"
            with urllib.request.urlopen(link) as answer:
                body = answer.read()
            login = backend.link(office.on_loop(lambda: office.window.invite("ann")))
            print(f"{options.requests} requests wait; a page has {len(body) / 1024:.1f} KiB; {options.rounds} rounds")
            with static(body) as plain, chromium(str(Path(folder) / "chromium")) as chrome:
                compare(chrome, "the page of a link", link, plain, options.rounds)
                chrome.get(login)
                chrome.find_element("css selector", "main button").click()
                with static(chrome.page_source.encode()) as same:
                    compare(chrome, "the list of 50", chrome.current_url, same, options.rounds)
        finally:
            backend.stop()


if __name__ == "__main__":
    main()
