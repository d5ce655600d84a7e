"""Every exit of the program as a function of one text: what was said inside, and what came out.

They are the real ones: the database is a file, the socket is a socket, the terminal is a pty.
"""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import socket
import sqlite3
import tempfile
import threading
import tty
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from tmux_sentry import Delivery, DeliveryResult, Level
from tmux_sentry.cli import main as command_line
from tmux_sentry.cli import output
from tmux_sentry.cli.app import App
from tmux_sentry.cli.hooks import clean_hooks
from tmux_sentry.control.server import ControlServer
from tmux_sentry.engine.conductor import Conductor, request_of
from tmux_sentry.engine.events import Ask, Keys, Notify, Record
from tmux_sentry.engine.herald import Herald
from tmux_sentry.engine.run import Run
from tmux_sentry.errors import SentryError
from tmux_sentry.notify.routing import Defaults, Router
from tmux_sentry.policy.model import Match, Pipeline
from tmux_sentry.security.redact import Redactor
from tmux_sentry.security.sanitize import clean
from tmux_sentry.state.records import PaneState, RunNames
from tmux_sentry.state.store import Store
from tmux_sentry.testing.clock import FakeClock
from tmux_sentry.testing.samples import AT, PANE
from tmux_sentry_approval_file.backend import FileApprovals
from tmux_sentry_notify_stdout.notifier import StdoutNotifier

Exit = Callable[[str], str]
_END = "<<the end>>"


def fast_folder(prefix: str) -> tempfile.TemporaryDirectory[str]:
    """A folder in memory where there is one: thousands of commits are waited for."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(prefix=prefix, dir=memory if os.access(memory, os.W_OK) else None)


class Terminal:
    """A pty with a reader: `shown()` is what has come out at its other end since the last call."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        tty.setraw(slave)  # as written: no "\\r" of the terminal's own
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self._got = bytearray()
        self._more = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def shown(self) -> str:
        self.stream.write(_END)
        self.stream.flush()
        end = _END.encode()
        with self._more:
            if not self._more.wait_for(lambda: end in self._got, timeout=20):
                raise TimeoutError("the terminal does not show everything")
            text = bytes(self._got).replace(end, b"").decode("utf-8")
            self._got.clear()
        return text

    def close(self) -> None:
        self.stream.close()

    def _read(self) -> None:
        with suppress(OSError):  # the other end was closed
            while data := os.read(self._master, 65536):
                with self._more:
                    self._got += data
                    self._more.notify_all()
        os.close(self._master)


class _Fails:
    """Fails when nobody can catch it any more."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __del__(self) -> None:
        raise ValueError(self.text)


@contextmanager
def exits(folder: Path, redact: Redactor) -> Iterator[dict[str, Exit]]:
    """The exits by name. Each raises nothing, whatever the text."""
    app = App(redact=redact)
    with ExitStack() as stack:
        stack.enter_context(clean_hooks(app, ours=False))
        yield {
            **_command_line(stack, app),
            **_log(app),
            **_database(stack, folder, redact),
            **_people(stack, folder, redact),
            "control socket": _control(stack, folder, redact),
        }


def _command_line(stack: ExitStack, app: App) -> dict[str, Exit]:
    terminal = stack.enter_context(closing(Terminal()))

    def piped(call: Callable[..., object], *args: Any) -> str:
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            call(*args)
        return out.getvalue() + err.getvalue()

    def drawn(call: Callable[..., object], *args: Any) -> str:
        with redirect_stdout(terminal.stream), redirect_stderr(terminal.stream):
            call(*args)
        return terminal.shown()

    def table(text: str) -> None:
        output.table(["a", "b"], [[text, "x"]], redact=app.redact)

    def fail(text: str) -> None:
        command_line._report(SentryError(text, text, text), app)

    def usage(text: str) -> None:
        command_line.main(["--no-plugins", "--", text or "x"])

    def raised(text: str) -> None:
        try:
            raise ValueError(text)
        except ValueError as error:
            output.trace(error, redact=app.redact)

    def thread(text: str) -> None:
        def failing() -> None:
            raise ValueError(text)

        one = threading.Thread(target=failing, name=text)
        one.start()
        one.join()

    def shown_for_a_while(text: str) -> None:
        output.progress(text, redact=app.redact)
        output.progress("", redact=app.redact)

    return {
        "table": lambda text: piped(table, text),
        "table on a terminal": lambda text: drawn(table, text),
        "--json": lambda text: piped(lambda: output.emit_json({"a": [text, {text: 1}]}, redact=app.redact)),
        "say": lambda text: piped(lambda: output.say(text, redact=app.redact)),
        "warn": lambda text: piped(lambda: output.warn(text, redact=app.redact)),
        "progress": lambda text: drawn(lambda: shown_for_a_while(text)),
        "error": lambda text: piped(fail, text),
        "bad usage": lambda text: piped(usage, text),
        "traceback": lambda text: piped(raised, text),
        "error of a thread": lambda text: piped(thread, text),
        "error of a finaliser": lambda text: piped(lambda: _Fails(text) and None),
        "warning of Python": lambda text: piped(lambda: warnings.showwarning(text, UserWarning, "a.py", 1)),
    }


def _log(app: App) -> dict[str, Exit]:
    def logged(write: Callable[[logging.Logger], object]) -> str:
        with redirect_stderr(io.StringIO()) as err:
            log = logging.Logger("tmux_sentry.measured")
            log.addHandler(output.clean_handler(app))
            write(log)
        return err.getvalue()

    def library(text: str) -> str:
        last = logging.lastResort
        assert isinstance(last, logging.StreamHandler)
        last.setStream(err := io.StringIO())
        logging.Logger("library").warning("%s", text)
        return err.getvalue()

    def failed(log: logging.Logger, text: str) -> None:
        try:
            raise KeyError(text)
        except KeyError:
            log.exception("it failed: %s", text)

    return {
        "log line": lambda text: logged(lambda log: log.warning("pane %s", text)),
        "log of an exception": lambda text: logged(lambda log: failed(log, text)),
        "log line that cannot be written": lambda text: logged(lambda log: log.warning("%d", text)),
        "log of a library": library,
    }


def _run(text: str) -> Run:
    pipeline = Pipeline(name="a", match=Match(), stages=(), digest="pd", source={})
    return Run(
        id="r1", pipeline=pipeline, pane=PANE, pane_name=clean(text, 200), policy_digest="pd", started_at=AT,
        stages={}, attempt=None,
    )  # fmt: skip


def _database(stack: ExitStack, folder: Path, redact: Redactor) -> dict[str, Exit]:
    path = folder / "db" / "state.db"
    store = stack.enter_context(Store.open(path, FakeClock(AT), redact=redact))
    raw = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
    names = RunNames(session_name="s", window_name="w", window_index=0, pane_index=0)
    with store.transaction() as tx:
        tx.save_run(_run(""), names)

    def history(text: str) -> str:
        with store.transaction() as tx:
            tx.record(_run(text), Record(stage="s", attempt=1, status="failed", reason=text, approved_by=text))
        return _rows(raw, "stage_history")

    def panes(text: str) -> str:
        state = PaneState(
            identity=PANE, session_name=text, window_name=text, window_index=0, pane_index=0, agent="", state="idle",
            updated_at=AT, last_signal=text,
        )  # fmt: skip
        with store.transaction() as tx:
            tx.upsert_pane(state)
        return _rows(raw, "pane_states")

    return {"table stage_history": history, "table pane_states": panes}


def _rows(raw: sqlite3.Connection, table: str) -> str:
    return "\n".join(str(cell) for row in raw.execute(f"SELECT * FROM {table}") for cell in row)


def _people(stack: ExitStack, folder: Path, redact: Redactor) -> dict[str, Exit]:
    """Messages and requests, from the engine's effect to what the plugin writes."""
    terminal = stack.enter_context(closing(Terminal()))
    store = stack.enter_context(Store.open(None, FakeClock(AT), redact=redact))
    herald = Herald(router=Router(defaults=Defaults(channels=("stdout",), local=("stdout",))), redact=redact)
    conductor = Conductor(store, FakeClock(AT), herald, lambda step: None)
    backend = FileApprovals(folder / "approvals")
    numbers = iter(range(1_000_000))

    def sent(text: str, stream: io.StringIO | Any) -> None:
        conductor.announce(
            Notify(
                event="x",
                level=Level.ERROR,
                title=text,
                text=text,
                fields={"pane": text},
                dedupe_key=f"k{next(numbers)}",
            )
        )
        (outgoing,) = store.due_messages("stdout")
        StdoutNotifier(stream).send(outgoing.message)
        store.message_tried(outgoing, DeliveryResult(outcome=Delivery.DELIVERED, detail=text))

    def message(text: str) -> str:
        sent(text, stream := io.StringIO())
        return stream.getvalue()

    def message_drawn(text: str) -> str:
        sent(text, terminal.stream)
        return terminal.shown()

    def outbox(text: str) -> str:
        sent(text, io.StringIO())
        (last,) = store.messages(1)
        said = last.message
        return "\n".join((said.title, *said.text.split("\n"), *said.fields.values(), last.detail))

    def request(text: str) -> str:
        ask = Ask(
            approval_id=f"q{next(numbers)}",
            stage="s",
            attempt=1,
            sends=(Keys(text=text),),
            digest="0" * 64,
            expires_at=AT + 60,
        )
        return Path(backend.open(request_of(_run(text), ask, AT, redact))).read_bytes().decode()

    return {"message": message, "message on a terminal": message_drawn, "outbox": outbox, "approval file": request}


def _control(stack: ExitStack, folder: Path, redact: Redactor) -> Exit:
    texts: list[str] = []

    def handle(verb: str, args: object, by: str) -> Any:
        if verb == "fail":
            raise SentryError(texts[-1], texts[-1], texts[-1])
        if verb == "break":
            raise KeyError(texts[-1])
        return {"pane": texts[-1], texts[-1]: [texts[-1]]}

    path = folder / "c.sock"
    stack.enter_context(ControlServer(path, handle, redact=redact))
    logging.getLogger("tmux_sentry.control.server").disabled = True  # its log is an exit of its own
    stack.callback(setattr, logging.getLogger("tmux_sentry.control.server"), "disabled", False)

    def asked(text: str) -> str:
        texts.append(text)
        answers = []
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, client.makefile("rwb") as file:
            client.settimeout(20)
            client.connect(str(path))
            for verb in ("get", "fail", "break"):
                file.write(json.dumps({"verb": verb, "args": {}}).encode() + b"\n")
                file.flush()
                answers.append(file.readline().decode())
        return "".join(answers)

    return asked
