"""Approval links that are not ours, too old, used up or revoked, and a hundred answers by one at the same moment."""

from __future__ import annotations

import random
import string
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from figure import Figure

from tmux_sentry.approvals.tokens import Tokens
from tmux_sentry.contracts import LinkRefused
from tmux_sentry.testing.window import TTL, Office, opened

#: Of each kind of bad token.
EACH = 2000
AT_ONCE = 100
_LETTERS = string.ascii_letters + string.digits + "-_."


def measure() -> list[Figure]:
    """Ten thousand bad tokens at the desk that the pages ask, and a hundred threads with one good one."""
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder) / "state.db") as office:
        return [_strangers(office), _at_once(office)]


def _strangers(office: Office) -> Figure:
    chance, request = random.Random(8), office.ask()
    digest = request.request.digest
    revoked, old = office.link(request, "eve"), office.link(request, "ann")
    second = office.ask(required=2)
    used = office.link(second, "bob")
    office.window.vote(used, approved=True, digest=second.request.digest)
    with office.store.transaction() as tx:
        token = office.tokens.read(revoked)
        assert token is not None
        tx.revoke_links(hash=token.hash)
    office.clock.advance(TTL)  # all of them are old from here on
    good = office.link(request)
    foreign = Tokens(["z" * 40])
    kinds: dict[str, Callable[[], str]] = {
        "tampered": lambda: _changed(good, chance),
        "expired": lambda: old,
        "replayed": lambda: chance.choice([used, revoked]),
        "foreign": lambda: foreign.make("link", office.clock.now() + 60)[0],
        "made up": lambda: "tsa_" + "".join(chance.choices(_LETTERS, k=chance.randrange(120))),
    }
    accepted = Counter(name for name, make in kinds.items() for _ in range(EACH) if _counts(office, make(), digest))
    tried = len(kinds) * EACH
    waits = office.store.approval(request.request.id)
    fine = not accepted and waits is not None and waits.status == "pending" and office.typed == []
    shown = f"{tried} ({', '.join(kinds)}): {sum(accepted.values())} accepted {dict(accepted) if accepted else ''}"
    return Figure(name="bad approval links", shown=shown.rstrip(), ok=fine)


def _changed(token: str, chance: random.Random) -> str:
    place = chance.randrange(len(token))
    return token[:place] + chance.choice(_LETTERS.replace(token[place], "")) + token[place + 1 :]


def _counts(office: Office, token: str, digest: str) -> bool:
    try:
        return office.window.vote(token, approved=True, digest=digest).counted
    except LinkRefused:
        return False


def _at_once(office: Office) -> Figure:
    request, before = office.ask("make release"), len(office.typed)
    token, digest = office.link(request), request.request.digest
    counted: list[bool] = []
    gate = threading.Barrier(AT_ONCE)

    def answer() -> None:
        gate.wait()
        counted.append(_counts(office, token, digest))

    threads = [threading.Thread(target=answer) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    effects = len(office.typed) - before
    shown = f"{len(counted)} answers by one link: {sum(counted)} decision, {effects} effect"
    return Figure(name="answers at the same moment", shown=shown, ok=(sum(counted), effects) == (1, 1))
