"""The pages in Chromium: as they look, by keyboard, without script, and against another site's page.

Screenshots are written to TMUX_SENTRY_ARTIFACTS if that is set, else to build/screenshots.
"""

from __future__ import annotations

import base64
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

SHOTS = Path(os.environ.get("TMUX_SENTRY_ARTIFACTS") or Path(__file__).resolve().parents[3] / "build") / "screenshots"
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)  # fmt: skip

SIZES = {"phone": (390, 844), "desktop": (1280, 900)}

#: The lowest contrast of any text on the page with what is behind it (WCAG 2.2: at least 4.5), and which text that is.
CONTRAST = """
const value = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
const light = (c) => 0.2126 * value(c[0]) + 0.7152 * value(c[1]) + 0.0722 * value(c[2]);
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const behind = (e) => {
  for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c;
  }
  return [255, 255, 255];
};
let worst = [99, ""];
for (const e of document.querySelectorAll("body *")) {
  if (e.matches(".unseen") || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
  const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < worst[0]) worst = [ratio, e.textContent.trim().slice(0, 40)];
}
return worst;
"""


class Window:
    """A window of the one Chromium of these tests."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def become(self, size: tuple[int, int], *, dark: bool = False, scripts: bool = False, language: str = "en") -> None:
        """Of this size and taste, without cookies."""
        width, height = size
        command = self.driver.execute_cdp_cmd
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        command("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        command("Emulation.setEmulatedMedia", {"features": [scheme]})
        command("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        agent = self.driver.capabilities["browserVersion"]
        command("Emulation.setUserAgentOverride", {"userAgent": f"Chrome/{agent}", "acceptLanguage": language})
        command("Network.clearBrowserCookies", {})
        self.driver.get_log("browser")

    def open(self, url: str) -> None:
        self.driver.get(url)

    def run(self, script: str, *arguments: Any) -> Any:
        """Of the test's own, also where pages may run none."""
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def leave(self, act: Callable[[], Any]) -> None:
        """Do something that opens another page, and wait for that."""
        before = self.find("html")
        act()
        WebDriverWait(self.driver, 20).until(lambda driver: self.find("html") != before)
        WebDriverWait(self.driver, 20).until(lambda driver: self.run("return document.readyState") == "complete")

    def press(self, key: str) -> None:
        ActionChains(self.driver).send_keys(key).perform()

    @property
    def focus(self) -> str:
        """What has the keyboard: the name and value of a control, or an element's class or tag."""
        return str(
            self.run(
                "const e = document.activeElement;"
                "return [e.name || e.className || e.tagName, e.tagName === 'BUTTON' ? e.value : ''].join(' ').trim()"
            )
        )

    @property
    def words(self) -> str:
        return " ".join(str(self.find("body").text).split())

    @property
    def errors(self) -> list[str]:
        """What the console says, but for the status of an answer."""
        return [
            e["message"]
            for e in self.driver.get_log("browser")
            if "the server responded with a status" not in e["message"]
        ]

    def shoot(self, name: str) -> None:
        """The whole page as a picture."""
        height = self.run("return document.documentElement.scrollHeight")
        width = self.run("return window.innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        picture = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        SHOTS.mkdir(parents=True, exist_ok=True)
        (SHOTS / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))

    def looks_right(self) -> None:
        """Nothing sticks out, everything can be touched and read, nothing is complained about."""
        assert self.run("return document.documentElement.scrollWidth <= window.innerWidth"), "it scrolls sideways"
        for control in self.driver.find_elements(
            By.CSS_SELECTOR, "button:not(.unseen), input:not([type=hidden]), textarea"
        ):
            assert control.size["height"] >= 44, control.get_attribute("outerHTML")
        ratio, text = self.run(CONTRAST)
        assert ratio >= 4.5, text
        assert self.find("html").get_attribute("lang")
        assert (
            len(self.driver.find_elements(By.TAG_NAME, "h1"))
            == len(self.driver.find_elements(By.TAG_NAME, "main"))
            == 1
        )
        for field in self.driver.find_elements(By.CSS_SELECTOR, "input:not([type=hidden]), textarea"):
            assert field.accessible_name
        assert self.errors == []


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: Any) -> Iterator[Window]:
    browser, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if not browser or not driver:
        pytest.fail("chromium or chromedriver is missing: scripts/setup test installs them")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # With the path of the driver given, selenium looks for none, and asks nobody.
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Window(chrome)
    finally:
        chrome.quit()


@pytest.fixture
def window(chromium: Window) -> Iterator[Window]:
    chromium.become(SIZES["phone"])
    yield chromium
    chromium.open("about:blank")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_how_every_page_looks(window: Window, site: Any, office: Any, size: str, dark: bool) -> None:
    window.become(SIZES[size], dark=dark)
    name, origin = f"{size}-{'dark' if dark else 'light'}", site.backend.origin
    request = office.ask(
        "./deploy.sh --production --confirm", "kubectl rollout status deploy/web\nexit", risk="high", required=2,
        approvers=["ann", "bob", "carol"], timeout="45m", on_timeout="reject",
        reason="Deploys to production. Check that the release notes are done.",
    )  # fmt: skip
    office.screen = ["$ npm test", "", "  342 passing (1m)", "x" * 300, "$"]
    long = office.ask("x" * 21_000)
    ((bobs, code),) = office.links(request, "bob")
    office.window.vote(bobs, approved=True, digest=request.request.digest, comment="fine <b>by</b> me", code=code)
    old = office.link(long)
    pages = {
        "used": f"/a/{bobs}",
        "long": f"/a/{old}",
        "bad-link": "/a/bad",
        "no-session": "/",
        "nowhere": "/nowhere",
        "login": site.login(),
    }
    seen = {}
    for what, path in pages.items():
        window.open(f"{origin}{path}")
        window.looks_right()
        window.shoot(f"{name}-{what}")
        seen[what] = window.run("return getComputedStyle(document.body).backgroundColor")
    window.leave(window.find("main button").click)
    window.looks_right()
    window.shoot(f"{name}-waiting")
    ((token, code),) = office.links(request, "ann")
    window.open(f"{origin}/a/{token}")
    window.looks_right()
    window.shoot(f"{name}-request")
    window.find("#code").send_keys(code)
    window.leave(window.find("button.yes").click)
    assert "Approved" in window.words
    window.looks_right()
    window.shoot(f"{name}-approved")
    office.clock.advance(3700)
    window.open(f"{origin}/a/{old}")
    window.looks_right()
    window.shoot(f"{name}-old-link")
    assert set(seen.values()) == {"rgb(17, 21, 27)" if dark else "rgb(245, 246, 248)"}


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_narrowest_phone_scrolls_down_only(window: Window, site: Any, office: Any, language: str) -> None:
    window.become((360, 740), language=language)
    request = office.ask("y" * 500, stage="s" * 100, reason="r" * 300, risk="high", approvers=["ann", "b" * 90])
    office.screen = ["z" * 400]
    window.open(f"{site.backend.origin}/a/{office.link(request)}")
    window.looks_right()
    assert window.find("html").get_attribute("lang") == ("en" if language == "en" else "zh-Hans")
    window.shoot(f"narrow-{language}")


def test_a_tap_on_approve_decides_without_any_script(window: Window, site: Any, office: Any) -> None:
    request = office.ask()
    window.open(f"{site.backend.origin}/a/{office.link(request)}")
    window.find("#comment").send_keys("go")
    window.leave(window.find("button.yes").click)
    assert "Approved" in window.words
    assert office.typed == ["make deploy"]
    window.leave(window.driver.refresh)
    assert "recorded already" in window.words
    assert office.typed == ["make deploy"]
    assert window.errors == []


def test_a_tap_on_reject_rejects(window: Window, site: Any, office: Any) -> None:
    request = office.ask()
    window.open(f"{site.backend.origin}/a/{office.link(request)}")
    window.leave(window.find("button.no").click)
    assert "Rejected" in window.words
    assert office.store.approval(request.request.id).status == "rejected"


def test_the_buttons_are_apart_and_below_what_is_typed(window: Window, site: Any, office: Any) -> None:
    window.open(f"{site.backend.origin}/a/{office.link(office.ask())}")
    yes, no, keys = (window.find(selector).rect for selector in ("button.yes", "button.no", "pre.keys"))
    assert no["y"] - (yes["y"] + yes["height"]) >= 24
    assert yes["y"] > keys["y"] + keys["height"]
    assert keys["y"] + keys["height"] < SIZES["phone"][1], "seen without scrolling"


def test_by_keyboard_enter_in_a_field_decides_nothing(window: Window, site: Any, office: Any) -> None:
    request = office.ask(risk="high")
    ((token, code),) = office.links(request, "ann")
    window.open(f"{site.backend.origin}/a/{token}")
    assert window.focus == "BODY"
    window.press(Keys.ENTER)
    order = []
    for _ in range(5):
        window.press(Keys.TAB)
        order.append(window.focus)
    assert order == ["screen", "code", "comment", "decision approve", "decision reject"]
    window.find("#code").click()
    window.press(code)
    window.leave(lambda: window.press(Keys.ENTER))
    assert "Nothing was decided" in window.words
    assert office.typed == []
    assert not office.store.votes(request.request.id)
    window.find("#code").click()
    window.press(code)
    window.press(Keys.TAB)
    window.press("one")
    window.press(Keys.ENTER)
    window.press("two")
    assert window.find("#comment").get_property("value") == "one\ntwo"
    window.press(Keys.TAB)
    assert window.focus == "decision approve"
    assert window.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    window.leave(lambda: window.press(Keys.ENTER))
    assert "Approved" in window.words
    assert office.typed == ["make deploy"]
    assert office.store.approval(request.request.id).comment == "one two"


def test_a_person_logs_in_and_answers_from_the_list(window: Window, site: Any, office: Any) -> None:
    office.ask(risk="high")
    window.open(f"{site.backend.origin}{site.login()}")
    window.leave(window.find("main button").click)
    assert "1 request waits" in window.words
    window.leave(window.find(".list a").click)
    window.leave(window.find("button.yes").click)
    assert "Approved" in window.words
    window.looks_right()
    window.leave(window.find("header a").click)
    assert "Nothing waits" in window.words
    mine = window.driver.current_url
    window.leave(window.find("header button").click)
    assert "You are logged out" in window.words
    window.open(mine)
    assert "You are not logged in" in window.words
    assert window.errors == []


def test_no_other_server_of_this_host_gets_a_cookie(window: Window, site: Any, office: Any) -> None:
    """Cookies know no ports: a web server of an agent's own, on the same address, is sent what its paths allow."""
    window.open(f"{site.backend.origin}/a/{office.link(office.ask())}")
    window.open(f"{site.backend.origin}{site.login()}")
    window.leave(window.find("main button").click)
    mine = window.driver.current_url
    got: list[tuple[str, str]] = []
    with another_site("another", got.append) as other:
        other = other.replace("localhost", "127.0.0.1")
        for path in ("", "s/", "s/x/", "a/", "login/", "logout", "favicon.ico"):
            window.open(f"{other}{path}")
    assert {path for path, _ in got} >= {"/", "/s/", "/s/x/", "/a/", "/login/", "/logout"}
    assert [cookie for _, cookie in got if cookie] == []
    window.open(mine)
    assert "1 request waits" in window.words


# ----------------------------------------------------------------------- another site


@contextmanager
def another_site(page: str, told: Callable[[tuple[str, str]], None] = lambda asked: None) -> Iterator[str]:
    """A page on `localhost`, which for a browser is another site than 127.0.0.1. `told` gets each path that is asked
    for, and the cookies that come with it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told((self.path, self.headers.get("Cookie", "")))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


def test_a_form_of_another_site_decides_nothing(window: Window, site: Any, office: Any) -> None:
    """With the seal of the very page that this browser has open, which another site cannot know."""
    request = office.ask()
    url = f"{site.backend.origin}/a/{office.link(request)}"
    window.open(url)
    seal = window.find("input[name=csrf]").get_attribute("value")
    fields = {"csrf": seal, "digest": request.request.digest}
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    page = f'<form method="post" action="{url}">{inputs}<button name="decision" value="approve">x</button></form>'
    with another_site(page) as other:
        window.open(other)
        window.leave(window.find("button").click)
        assert "Open the link again" in window.words
    assert office.typed == []
    assert not office.store.votes(request.request.id)


def test_a_link_from_another_site_works(window: Window, site: Any, office: Any) -> None:
    """As from a chat in the browser: the visit begins elsewhere, and the Strict cookie must be there for the form."""
    url = f"{site.backend.origin}/a/{office.link(office.ask())}"
    with another_site(f'<a href="{url}">the link</a>') as other:
        window.open(other)
        window.leave(window.find("a").click)
        window.leave(window.find("button.yes").click)
    assert "Approved" in window.words
    assert office.typed == ["make deploy"]


def test_no_other_page_can_frame_it(window: Window, site: Any, office: Any) -> None:
    url = f"{site.backend.origin}/a/{office.link(office.ask())}"
    with another_site(f'<iframe src="{url}"></iframe>') as other:
        window.open(other)
        window.driver.switch_to.frame(0)
        assert window.driver.find_elements(By.CSS_SELECTOR, "button.yes") == []
        window.driver.switch_to.default_content()
        assert any("frame-ancestors" in one or "X-Frame-Options" in one for one in window.errors)
