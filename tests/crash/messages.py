"""Messages through a provider that fails and loses answers, by a program that is killed again and again.

The store, the outbox and the HTTP are the real ones. The provider counts what it took by the id that each message
brings along: every message at least once, and one more for each answer that was lost and each kill at the most.

    python tests/crash/messages.py run COUNT SEED [MUTANT]      send so many; ends with 1 if something is wrong
    python tests/crash/messages.py life HOME URL BEGAN MUTANT   one life of the program: deliver until nothing waits
"""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tmux_sentry import Answer, Delivery, DeliveryResult, Level, Message, deliver
from tmux_sentry.clock import SystemClock
from tmux_sentry.notify import outbox as module
from tmux_sentry.notify.outbox import Outbox
from tmux_sentry.state.store import Store
from tmux_sentry.testing.provider import Provider, Received, Reply

#: One: a kill then hits one message in hand at the most.
CHANNEL = "one"
FAILURES, LOST = 0.30, 0.05
#: Requests that a life lasts.
LIFE = (10, 200)
#: How much faster the clock of a life goes: the pauses between attempts grow to a quarter of an hour.
HASTE = 100.0


class Channel:
    """Posts the message with its id; `new-id` makes one of its own for each attempt."""

    def __init__(self, url: str, *, new_id: bool) -> None:
        self._url = url
        self._new_id = new_id

    def send(self, message: Message) -> DeliveryResult:
        id = os.urandom(8).hex() if self._new_id else message.id
        body = json.dumps({"title": message.title}).encode()
        return deliver(self._url, body=body, headers={"webhook-id": id}, read=_taken)


def _taken(answer: Answer) -> DeliveryResult:
    return DeliveryResult(outcome=Delivery.DELIVERED, detail=answer.words())


@dataclass
class Judge:
    """What the provider took, by id, and how often its answer was lost."""

    chance: random.Random
    taken: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    failed: int = 0
    left: int = 0  # requests until the life is over
    more: threading.Condition = field(default_factory=threading.Condition)

    def answer(self, request: Received) -> Reply:
        with self.more:
            self.left -= 1
            self.more.notify_all()
            luck = self.chance.random()
            if luck < FAILURES:
                self.failed += 1
                return Reply(status=503, body=b"busy")
            self.taken[request.headers["webhook-id"]] += 1
            if luck < FAILURES + LOST:
                self.lost += 1
                return Reply(how="reset")
            return Reply(body=b"ok")


def run(count: int, seed: str, mutant: str = "") -> tuple[str, bool]:
    """Send `count` messages; the result line, and whether something is wrong with it.

    Mutants: `new-id` gives each attempt an id of its own, `optimist` takes what may have arrived for delivered.
    """
    chance = random.Random(seed)
    judge = Judge(random.Random(f"{seed}/provider"))
    home = Path(tempfile.mkdtemp(prefix="sentry-messages-"))
    kills = 0
    began, epoch = time.monotonic(), time.time()
    try:
        ids = _queue(home, count)
        with Provider(judge.answer) as provider:
            provider.keep = False
            while True:
                judge.left = chance.randint(*LIFE)
                life = subprocess.Popen([sys.executable, __file__, "life", str(home), provider.url, str(epoch), mutant])
                if _outlives(life, judge):
                    if life.returncode:
                        return f"a life ended with {life.returncode}", True
                    break
                # Anywhere between two steps, not only when the provider has just been asked.
                time.sleep(chance.uniform(0, 0.02))
                life.send_signal(signal.SIGKILL)
                life.wait()
                kills += 1
        with Store.open(home / "state.db", SystemClock()) as store:
            unsettled = [one for one in store.messages(count + 1) if one.status != "delivered"]
    finally:
        shutil.rmtree(home)
    lost = len(ids - judge.taken.keys())
    doubled = sum(judge.taken.values()) - len(judge.taken)
    strange = len(judge.taken.keys() - ids)
    line = (
        f"messages {count}, failures {judge.failed}, answers lost {judge.lost}, kills {kills}: "
        f"lost {lost}, doubled {doubled} (at most {judge.lost} + {kills} may be), "
        f"under another id {strange}, unsettled {len(unsettled)} ({time.monotonic() - began:.0f} s)"
    )
    return line, bool(lost or strange or unsettled or doubled > judge.lost + kills)


def _outlives(life: subprocess.Popen[bytes], judge: Judge) -> bool:
    """Whether the program had nothing to do any more before its requests were over."""
    with judge.more:
        while judge.left > 0:
            judge.more.wait(0.05)
            if life.poll() is not None:
                return True
    return False


def _queue(home: Path, count: int) -> set[str]:
    """Messages in the outbox, a batch in a transaction."""
    ids = [f"m{number:06}" for number in range(count)]
    clock = SystemClock()
    with Store.open(home / "state.db", clock) as store:
        for begin in range(0, count, 500):
            with store.transaction() as tx:
                for id in ids[begin : begin + 500]:
                    message = Message(id=id, at=clock.now(), level=Level.INFO, event="test", title=id)
                    tx.enqueue(message, [CHANNEL], id)
    return set(ids)


def live(home: Path, url: str, began: float, mutant: str) -> int:
    """Deliver until nothing waits; `began` (epoch seconds) is when the clock started to hurry."""
    clock = SystemClock()
    SystemClock.now = lambda clock: began + (time.time() - began) * HASTE  # type: ignore[method-assign]
    module.NAP = 0.02
    with Store.open(home / "state.db", clock) as store:
        if mutant == "optimist":
            _believe()
        outbox = Outbox(store, {CHANNEL: Channel(url, new_id=mutant == "new-id")}, clock)
        outbox.start()
        while store.next_message_due(CHANNEL) is not None:
            time.sleep(0.05)
        outbox.stop()
    return 0


def _believe() -> None:
    """A mutant: whatever was sent counts as delivered."""
    import dataclasses

    deliver_one = Outbox._deliver

    def optimistic(self: Outbox, outgoing: object) -> DeliveryResult:
        result = deliver_one(self, outgoing)  # type: ignore[arg-type]
        return dataclasses.replace(result, outcome=Delivery.DELIVERED)

    Outbox._deliver = optimistic  # type: ignore[method-assign]


def main(verb: str, *words: str) -> int:
    """What the command line says."""
    if verb == "life":
        logging.disable(logging.WARNING)  # each failure would be a line
        home, url, began, mutant = words
        return live(Path(home), url, float(began), mutant)
    line, wrong = run(int(words[0]), *words[1:])
    print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
