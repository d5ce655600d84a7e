"""Hosts of one run that lead to the same tmux server: followed as the first of them, or all would be done twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tmux_sentry.engine.matching import Earlier
from tmux_sentry.tmux.model import PaneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Twins:
    """`of` maps a host to the one that its tmux server is followed as; hosts that stand alone are not in it."""

    of: Mapping[str, str] = field(default_factory=dict)
    seen: Mapping[str, str] = field(default_factory=dict)  # host -> its server, but for the host
    leads: Mapping[str, str] = field(default_factory=dict)  # such a server -> the host that it is followed as

    def followed(self, run: Earlier) -> Earlier:
        """The Run as one on the pane that is followed.

        A host of an earlier process that was not seen yet may be a twin too, and its pane does not run things again.
        """
        server = run.server.removeprefix(f"{run.host}/")
        host = self.leads.get(server, run.host)
        if host == run.host or (run.host in self.seen and run.host not in self.of):
            return run
        rest = run.pane_key.removeprefix(run.server)
        return replace(run, host=host, server=f"{host}/{server}", pane_key=f"{host}/{server}{rest}")


def find_twins(hosts: Sequence[str], panes: Iterable[PaneInfo]) -> Twins:
    """Which of the hosts, in the order of their file, are one tmux server by what the panes' servers say of themselves.

    The process and its start alone do not tell: the machine's name and the socket are compared too.
    """
    order = {name: number for number, name in enumerate(hosts)}
    servers = {pane.identity.host: pane for pane in panes}
    first: dict[tuple[str, str], str] = {}
    of, seen = {}, {}
    for host in sorted(servers, key=lambda name: (order.get(name, len(order)), name)):
        pane = servers[host]
        seen[host] = pane.identity.server.removeprefix(f"{host}/")
        leader = first.setdefault((seen[host], pane.server_at), host) if pane.server_at else host
        if leader != host:
            of[host] = leader
    return Twins(of=of, seen=seen, leads={server: host for host, server in seen.items() if host not in of})


def sentence(host: str, leader: str) -> str:
    """What people are told of a host that has a twin."""
    return f"{host} and {leader} are the same tmux server: its panes are followed as those of {leader}, the first named"
