"""Serving, stopping, and what is said when it cannot be done."""

from __future__ import annotations

import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import replace
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from tmux_sentry import Complaint, LinkRefused, PluginContext
from tmux_sentry.testing.provider import self_signed
from tmux_sentry_approval_web import plugin
from tmux_sentry_approval_web.backend import WebApprovals
from tmux_sentry_approval_web.settings import Settings, read


def test_a_taken_port_is_named_and_served_when_it_is_free(office: Any) -> None:
    other = socket.create_server(("127.0.0.1", 0))
    backend = WebApprovals(read({"APPROVAL_LISTEN": f"127.0.0.1:{other.getsockname()[1]}"}))
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {other.getsockname()[1]}: .*APPROVAL_LISTEN"):
        backend.serve(office.window)
    assert "cannot listen" in backend.problem()
    assert backend.origin == ""
    other.close()
    backend.serve(office.window)
    assert "cannot listen" not in backend.problem()
    backend.stop()


def test_while_somebody_else_has_the_port_there_is_no_link_and_what_they_saw_opens_nothing(office: Any) -> None:
    request = office.ask()
    seen, session = office.link(request), office.window.login(office.on_loop(lambda: office.window.invite("ann")))
    with socket.create_server(("127.0.0.1", 0)) as other:
        backend = WebApprovals(Settings(port=other.getsockname()[1], base="https://sentry.example.org"))
        with pytest.raises(OSError, match="cannot listen"):
            backend.serve(office.window)
        assert (backend.link("tsa_x"), backend.link("tsl_x"), backend.open(request.request)) == ("", "", "")
        late = office.link(request)  # sent in the very moment in which the port was lost
    backend.serve(office.window)
    for opens in (lambda: office.window.look(seen), lambda: office.window.look(late)):
        with pytest.raises(LinkRefused, match="revoked"):
            opens()
    with pytest.raises(LinkRefused, match="revoked"):
        office.window.pending(session)
    fresh = office.link(request)
    assert backend.link(fresh) == f"https://sentry.example.org/a/{fresh}"
    assert office.window.look(fresh).status == "pending"
    (told,) = backend.poll()
    assert "revoked" in told.why
    assert "tmux-sentry approvals login" in told.why
    backend.stop()
    assert backend.link(fresh) == ""


def test_links_are_revoked_at_once_as_run_may_be_started_again_before_the_pages_are(office: Any) -> None:
    request = office.ask()
    seen = office.link(request)
    with socket.create_server(("127.0.0.1", 0)) as other:
        backend = WebApprovals(Settings(port=other.getsockname()[1]))
        assert list(backend.poll()) == []
        assert office.window.look(seen).status == "pending"
        with pytest.raises(OSError, match="cannot listen"):
            backend.serve(office.window)
        assert list(backend.poll()) == []
        with pytest.raises(LinkRefused, match="revoked"):
            office.window.look(seen)


def test_a_core_that_cannot_revoke_is_not_served(office: Any) -> None:
    class Full:
        def revoke(self) -> int:
            raise OSError("disk full")

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        backend = WebApprovals(Settings(port=port))
        with pytest.raises(OSError, match="cannot listen"):
            backend.serve(office.window)
    with pytest.raises(OSError, match="disk full"):
        backend.serve(Full())
    assert backend.link("tsl_x") == ""
    socket.create_server(("127.0.0.1", port)).close()
    backend.serve(office.window)
    assert backend.link("tsl_x") != ""
    backend.stop()


def test_a_start_without_trouble_revokes_nothing(office: Any, serve: Any) -> None:
    token = office.link(office.ask())
    site = serve()
    assert [told.why for told in site.backend.poll()] == []
    assert office.window.look(token).status == "pending"


def test_serving_twice_is_serving_once(site: Any, office: Any) -> None:
    port = site.port
    site.backend.serve(office.window)
    assert site.port == port


def test_it_ends_within_a_second_also_with_connections_open_and_work_in_hand(serve: Any, office: Any) -> None:
    hold, entered = threading.Event(), threading.Event()

    class Slow:
        def look(self, *_: Any) -> Any:
            entered.set()
            hold.wait(20)
            raise OSError

    site = serve(Slow())
    where = ("127.0.0.1", site.port)
    with socket.create_connection(where), socket.create_connection(where) as busy:
        busy.sendall(f"GET /a/x HTTP/1.1\r\nHost: localhost:{site.port}\r\n\r\n".encode())
        assert entered.wait(10)
        began = time.monotonic()
        site.backend.stop()
        assert time.monotonic() - began < 2.0
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(where)
        hold.set()


def test_after_the_end_the_port_is_free(serve: Any, office: Any) -> None:
    site = serve()
    port = site.port
    site.backend.stop()
    again = WebApprovals(Settings(port=port))
    again.serve(office.window)
    again.stop()


def test_what_is_missing_is_told_once(serve: Any, office: Any) -> None:
    backend = WebApprovals(replace(read({}), port=0))
    assert list(backend.poll()) == []
    backend.serve(office.window)
    (told,) = backend.poll()
    assert isinstance(told, Complaint)
    assert "APPROVAL_BASE_URL is not set" in told.why
    assert list(backend.poll()) == []
    backend.stop()


def test_pages_that_have_ended_by_themselves_are_told_and_have_no_links(site: Any, office: Any) -> None:
    seen = office.link(office.ask())
    serving = site.backend._serving
    assert site.backend.link("tsl_x") != ""
    serving._server.should_exit = True
    assert site.backend.link("tsl_x") == "", "the port is free for others before the last answer is given"
    serving._thread.join(10)
    (told,) = site.backend.poll()
    assert "have ended" in told.why
    assert "have ended" in site.backend.problem()
    assert list(site.backend.poll()) == []
    with pytest.raises(LinkRefused, match="revoked"):
        office.window.look(seen)


def test_before_they_are_served_pages_have_no_links(office: Any) -> None:
    backend = WebApprovals(Settings(port=0, base="https://sentry.example.org"))
    assert (backend.link("tsa_x"), backend.link("tsl_x"), backend.open(office.ask().request)) == ("", "", "")


def test_wrong_settings_are_not_served(office: Any) -> None:
    backend = WebApprovals(read({"APPROVAL_LISTEN": "0.0.0.0:8790"}))
    with pytest.raises(ValueError, match="unencrypted"):
        backend.serve(office.window)
    assert "unencrypted" in backend.problem()
    assert backend.link("tsa_x") == backend.link("tsl_x") == ""


def test_a_factory_opens_nothing_and_loads_no_server(tmp_path: Path) -> None:
    code = (
        "import sys; from tmux_sentry import PluginContext; from tmux_sentry_approval_web import plugin;"
        "[one.factory(PluginContext(settings={'APPROVAL_LISTEN': 'nonsense'})) for one in"
        " plugin.tmux_sentry_approval_backends()];"
        "print([name for name in ('uvicorn', 'starlette', 'jinja2', 'ssl', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_signals_stay_with_the_program(serve: Any) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)

    def ours(number: int, frame: object) -> None:
        """What the program would do. A shell in the background ignores SIGINT, so what was set before says nothing."""

    before = [signal.signal(number, ours) for number in numbers]
    try:
        serve()
        assert [signal.getsignal(number) for number in numbers] == [ours, ours]
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


# ------------------------------------------------------------------------------------ TLS


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    cert, key = self_signed(tmp_path)
    key.chmod(0o600)
    return {"cert": str(cert), "key": str(key)}


def test_pages_by_tls(serve: Any, office: Any, files: dict[str, str]) -> None:
    site = serve(**files)
    assert site.backend.origin.startswith("https://")
    context = ssl.create_default_context(cafile=files["cert"])
    connection = HTTPSConnection("127.0.0.1", site.port, context=context, timeout=20)
    connection.request("GET", f"/a/{office.link(office.ask())}")
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.getheader("Strict-Transport-Security") == "max-age=31536000"
    assert str(answer.getheader("Set-Cookie")).startswith("__Secure-")
    connection.close()


def test_a_broken_handshake_is_no_noise(serve: Any, files: dict[str, str], caplog: Any, capfd: Any) -> None:
    site = serve(**files)
    with socket.create_connection(("127.0.0.1", site.port)) as plain:
        plain.sendall(b"GET /a/tsa_secret HTTP/1.1\r\n\r\n")
        assert b"200" not in plain.recv(100)
    site.backend.stop()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_that_others_can_read_is_refused(office: Any, files: dict[str, str], mode: int) -> None:
    os.chmod(files["key"], mode)
    backend = WebApprovals(Settings(port=0, **files))
    with pytest.raises(ValueError, match="chmod 600"):
        backend.serve(office.window)
    assert "chmod 600" in backend.problem()


@pytest.mark.parametrize("broken", ["missing", "text", "swapped", "other key", "password"])
def test_files_that_are_no_certificate_and_key_are_named(
    office: Any, files: dict[str, str], broken: str, tmp_path: Path
) -> None:
    if broken == "missing":
        os.unlink(files["cert"])
    elif broken == "text":
        Path(files["cert"]).write_text("certificate")
    elif broken == "swapped":
        files["key"] = files["cert"]
        os.chmod(files["key"], 0o600)
    elif broken == "other key":
        files["key"] = str(self_signed(tmp_path / "other")[1])
        os.chmod(files["key"], 0o600)
    else:
        subprocess.run(
            ["openssl", "pkey", "-in", files["key"], "-aes256", "-passout", "pass:x", "-out", f"{files['key']}.locked"],
            check=True,
            capture_output=True,
        )
        files["key"] += ".locked"
        os.chmod(files["key"], 0o600)
    backend = WebApprovals(Settings(port=0, **files))
    with pytest.raises((OSError, ValueError), match="APPROVAL_TLS_CERT"):
        backend.serve(office.window)
    assert "APPROVAL_TLS_CERT" in backend.problem()


# ----------------------------------------------------------------------------------- logs


def test_no_token_gets_into_a_log(serve: Any, office: Any, caplog: Any, capfd: Any) -> None:
    caplog.set_level(1)  # uvicorn has a level below DEBUG, which tells every address

    class Broken:
        def __getattr__(self, name: str) -> Any:
            def call(token: str, *_: Any, **__: Any) -> Any:
                raise RuntimeError("broken")

            return call

    paths = [office.link(office.ask()) for _ in range(3)]
    for desk in (None, Broken()):
        site = serve(desk)
        for token in paths:
            phone = site.phone()
            phone.get(f"/a/{token}")
            phone.answer(f"/a/{token}")
            phone.get(f"/login/{token}")
            phone.get(f"/a/{token}/nothing/here")
            phone.ask("DELETE", f"/a/{token}")
            site.raw(f"GET /a/{token} HTTP/9.9\r\nHost\r\n\r\n".encode())
        site.backend.stop()
    said = caplog.text + "".join(capfd.readouterr())
    assert "broken" in said
    for token in paths:
        assert token[4:] not in said


def test_the_settings_are_those_that_are_read() -> None:
    (record,) = plugin.tmux_sentry_approval_backends()
    assert record.name == "web"
    assert not any(setting.secret for setting in record.settings)
    backend = record.factory(PluginContext(settings={"APPROVAL_BASE_URL": "https://sentry.example.org"}))
    assert isinstance(backend, WebApprovals)
    assert backend.problem() == ""
