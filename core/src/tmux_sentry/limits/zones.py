"""In which zone a host's clock is read: hosts.yaml says it, else the host is asked once, else the policy says it."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from tmux_sentry.clock import Clock
from tmux_sentry.contracts import HostAccess
from tmux_sentry.limits.reset import HostZone
from tmux_sentry.limits.words import zone_of
from tmux_sentry.security.sanitize import clean

log = logging.getLogger(__name__)

#: Seconds that a host gets for its answer.
PATIENCE = 10.0
# What a host may know its zone by, the surest first; the last line is its distance from UTC, to check the others by.
_SCRIPT = (
    'echo "zone $TZ"; echo "zone $(readlink -f /etc/localtime 2>/dev/null)"; '
    'echo "zone $(head -n 1 /etc/timezone 2>/dev/null)"; date "+offset %z"'
)
_ANSWER = 4096  # bytes of it that are read
_OFFSET = re.compile(r"[+-][0-9]{4}")
_FILES = "/zoneinfo/"


class Zones:
    """The zones of all hosts. `of` never waits; the loop's thread owns the rest."""

    def __init__(
        self,
        said: Mapping[str, str | None],
        access: Mapping[str, HostAccess],
        policy: str | None,
        clock: Clock,
        known: Callable[[str], None],
    ) -> None:
        """`said` is what hosts.yaml says, by host. `known(host)` is called on another thread once an answer is in."""
        self._access = access
        self._clock = clock
        self._tell = known
        self._zones: dict[str, HostZone] = {}
        self._asked: set[str] = set()
        self._asking: set[str] = set()
        self._over = False
        self._fallback = _policy_zone(policy) or _own_zone(clock.now())
        for host, name in said.items():
            if name is not None:
                self._zones[host] = HostZone(zone=ZoneInfo(name), name=f"{name}, as hosts.yaml says")

    def ask(self, host: str) -> None:
        """Ask a host that is reached now, unless its zone is known."""
        if host in self._zones or host in self._asked or host not in self._access:
            return
        self._asked.add(host)
        self._asking.add(host)
        threading.Thread(target=self._ask, args=(host,), name="zone", daemon=True).start()

    def close(self) -> None:
        """The hosts are let go: an answer that is still to come does not come any more."""
        self._over = True

    def of(self, host: str) -> HostZone | None:
        """The zone of a host; None while it is being asked."""
        found = self._zones.get(host)
        return found if found is not None else None if host in self._asking else self._fallback

    def _ask(self, host: str) -> None:
        found = None
        try:
            answer = self._access[host].run(["sh", "-c", _SCRIPT], PATIENCE)
            found = zone_in(answer.stdout, self._clock.now())
        except Exception as error:  # whatever it is, there is another zone to read in
            if not self._over:
                log.warning("%s: its time zone cannot be read: %s", clean(host), clean(str(error), 200))
            self._asked.discard(host)  # it is asked again when it comes back
        if found is not None:
            self._zones[host] = found
        self._asking.discard(host)
        self._tell(host)


def zone_in(answer: bytes, now: float) -> HostZone | None:
    """The zone in the answer of a host, which may say anything. A name counts if it has the offset of its clock."""
    lines = answer[:_ANSWER].decode("utf-8", "replace").splitlines()
    words = [line.split() for line in lines]
    offset = next((line[1] for line in words if line[:1] == ["offset"] and len(line) == 2), "")
    fixed = zone_of(offset) if _OFFSET.fullmatch(offset) else None
    for line in words:
        if line[:1] != ["zone"] or len(line) != 2:
            continue
        name = line[1].removeprefix(":")
        name = name.partition(_FILES)[2] if _FILES in name else name
        zone = zone_of(name)
        if zone is not None and (fixed is None or _away(zone, now) == _away(fixed, now)):
            return HostZone(zone=zone, name=f"{name}, the host's own")
    return None if fixed is None else HostZone(zone=fixed, name=f"UTC{offset}, the host's own")


def _away(zone: tzinfo, now: float) -> timedelta | None:
    return datetime.fromtimestamp(now, zone).utcoffset()


def _policy_zone(name: str | None) -> HostZone | None:
    return None if name is None else HostZone(zone=ZoneInfo(name), name=f"{name}, as the policy says")


def _own_zone(now: float) -> HostZone:
    """This machine's zone; where it has no name, its distance from UTC now."""
    place = str(Path("/etc/localtime").resolve())
    zone = zone_of(place.partition(_FILES)[2])
    here = datetime.fromtimestamp(now, timezone.utc).astimezone()
    if zone is not None and _away(zone, now) == here.utcoffset():
        return HostZone(zone=zone, name=f"{place.partition(_FILES)[2]}, this machine's")
    away = timedelta(seconds=time.localtime(now).tm_gmtoff)
    return HostZone(zone=timezone(away), name=f"UTC{here:%z}, this machine's")
