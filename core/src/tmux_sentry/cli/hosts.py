"""`tmux-sentry hosts trust`: look at the key of a machine that is reached over SSH, and trust it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tmux_sentry.cli import output
from tmux_sentry.cli.session import begin, env_file_option, hosts_option, read_hosts
from tmux_sentry.errors import Refused, UsageError

if TYPE_CHECKING:
    from tmux_sentry.config.hosts import Host
    from tmux_sentry.transport.target import SshTarget


@click.group("hosts")
def hosts() -> None:
    """Trust the key of a machine."""


@hosts.command("trust")
@click.argument("name")
@hosts_option
@env_file_option
@click.option(
    "--fingerprint",
    "fingerprints",
    multiple=True,
    metavar="SHA256:...",
    help="Trust this key without asking; once more for each jump that is not known either.",
)
def trust(name: str, hosts_file: Path | None, env_file: Path | None, fingerprints: tuple[str, ...]) -> None:
    """Show the key of the host NAME, first those of its jumps, and ask whether to trust it.

    Compare the fingerprint with the one that the machine itself shows:
    ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub
    """
    from tmux_sentry.config.ssh import target_of

    session = begin(env_file)
    known = read_hosts(session, hosts_file)
    target = target_of(_named(known, name), known, session.settings.values, Path.home())
    for index, jump in enumerate(target.jumps):
        _trust(replace(jump, jumps=target.jumps[:index]), fingerprints, f"{jump.called}, a jump to {name}")
    if not _trust(target, fingerprints, name):
        output.say(f"the key of {name} is trusted already")


def _named(hosts: Sequence[Host], name: str) -> Host:
    host = next((one for one in hosts if one.name == name), None)
    if host is None:
        names = ", ".join(one.name for one in hosts if one.transport == "ssh")
        raise UsageError(f"no host {name!r} in the hosts file", "", f"reached over SSH are: {names}" if names else "")
    if host.transport != "ssh":
        raise UsageError(f"{name} is this machine", "it is not reached over SSH and has no key to trust")
    return host


def _trust(target: SshTarget, fingerprints: Sequence[str], called: str) -> bool:
    """Whether the machine's key was written down; False when it was there. Raises Refused, Unreachable."""
    from tmux_sentry.transport.known_hosts import SYSTEM_KNOWN_HOSTS, KnownHosts, Verdict, fingerprint, trust
    from tmux_sentry.transport.ssh_dial import offered_key

    key_type, blob = offered_key(target)
    known = KnownHosts.read(target.known_hosts)
    verdict = known.judge(target.hostname, target.port, key_type, blob)
    if verdict is Verdict.KNOWN:
        return False
    shown = fingerprint(blob)
    file = next((path for path in target.known_hosts if path != SYSTEM_KNOWN_HOSTS), None)
    if file is None:
        why = f"it has no known_hosts file of yours, and {SYSTEM_KNOWN_HOSTS} is the system's"
        raise Refused(f"the key of {called} cannot be kept", why, "set ssh.known_hosts in hosts.yaml")
    if verdict is Verdict.REVOKED:
        why = f"{target.address} offers {key_type} {shown}, which is marked as @revoked"
        raise Refused(f"the key of {called} is revoked", why, "give that machine a new host key")
    output.say(f"{called}\n  address      {target.address}\n  key          {key_type} {shown}\n  to be kept   {file}")
    if verdict is Verdict.CHANGED:
        for old in known.of(target.hostname, target.port):
            output.say(f"  known so far {old.key_type} {fingerprint(old.blob)} ({old.place})")
        output.warn(f"the key has CHANGED: somebody may answer in place of {target.called}, or it was set up anew")
    _decide(called, shown, fingerprints)
    trust(file, target.hostname, target.port, key_type, blob)
    output.say(f"trusted: {shown} is now in {file}")
    return True


def _decide(called: str, shown: str, fingerprints: Sequence[str]) -> None:
    """Return when the key is to be trusted. Raises Refused."""
    if shown in fingerprints:
        return
    if fingerprints:
        raise Refused(f"the key of {called} is not the one that --fingerprint names", f"it is {shown}")
    if not sys.stdin.isatty():
        fix = f"compare it, then add --fingerprint {shown}"
        raise Refused(f"the key of {called} is not trusted", "there is no terminal to ask at", fix)
    if not click.confirm("Trust this key?", default=False):
        raise Refused(f"the key of {called} is not trusted", "nothing was written")
