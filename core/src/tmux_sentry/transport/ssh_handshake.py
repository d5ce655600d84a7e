"""The first half of an SSH connection: the way to the server, the key exchange, and whether it is the right server."""

from __future__ import annotations

import re
import socket
import time
from contextlib import suppress

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from tmux_sentry.errors import HostKeyRefused, Unreachable
from tmux_sentry.security.sanitize import clean
from tmux_sentry.transport.known_hosts import KnownHosts, Verdict, fingerprint
from tmux_sentry.transport.moderated import ModeratedSocket
from tmux_sentry.transport.target import SshTarget

# No server of the last ten years needs one of these: OpenSSH 6.7 switched CBC off in 2014.
_OLD = re.compile(r"md5|sha1|-cbc|arcfour|blowfish|group1-|^ssh-rsa$|^ssh-dss$")
# As an RSA key is named in known_hosts, and the ways in which it may sign.
_RSA = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
_NOT_ALLOWED = 1  # RFC 4254, section 5.1


def connect(target: SshTarget, called: str, timeout: float) -> socket.socket:
    """A TCP connection to the server; `called` names the machine in messages. Raises Unreachable."""
    try:
        sock = socket.create_connection((target.hostname, target.port), timeout)
    except (socket.gaierror, UnicodeError) as error:
        what = f"{called}: the name {clean(target.hostname)} does not resolve"
        why = error.strerror if isinstance(error, socket.gaierror) else str(error)
        raise Unreachable(what, clean(why or ""), "check ssh.hostname in hosts.yaml") from error
    except ConnectionRefusedError as error:
        what = f"{called}: {_at(target)} refuses the connection"
        raise Unreachable(what, "no SSH server listens there", "check ssh.port, and sshd on that machine") from error
    except TimeoutError as error:
        what = f"{called}: {_at(target)} does not answer within {timeout:g} s"
        raise Unreachable(what, "", "check the address, the network, and the firewall there") from error
    except OSError as error:
        raise Unreachable(f"{called}: {_at(target)} cannot be reached", error.strerror or str(error)) from error
    # Without it, an answer that we wait for may itself wait for the delayed acknowledgement of the last one.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ModeratedSocket(sock)


def connect_through(jump: paramiko.Transport, target: SshTarget, called: str, timeout: float) -> paramiko.Channel:
    """A connection to the server that the jump makes for us. Raises Unreachable."""
    what = f"{called}: {_at(target)} cannot be reached from the jump before it"
    try:
        channel = jump.open_channel("direct-tcpip", (target.hostname, target.port), ("127.0.0.1", 0), timeout=timeout)
    except paramiko.ChannelException as error:
        fix = "allow it in the jump's sshd_config: AllowTcpForwarding yes" if error.code == _NOT_ALLOWED else ""
        raise Unreachable(what, clean(str(error.text)), fix) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise Unreachable(what, clean(str(error))) from error
    close = channel.close

    def close_quietly() -> None:
        # paramiko closes it on a thread of its own, which a jump that ends just then would end with a traceback.
        with suppress(paramiko.SSHException, EOFError, OSError):
            close()

    channel.close = close_quietly  # type: ignore[method-assign]
    return channel


def shake_hands(transport: paramiko.Transport, target: SshTarget, called: str, timeout: float) -> None:
    """Agree on keys with the server; who it is has still to be checked. Raises Unreachable."""
    _choose_algorithms(transport, KnownHosts.read(target.known_hosts).key_types(target.hostname, target.port))
    transport.banner_timeout = transport.handshake_timeout = transport.channel_timeout = timeout
    begun = time.monotonic()
    try:
        transport.start_client(timeout=2 * timeout)
        transport.get_remote_server_key()  # raises where start_client gave up without a word
    except IncompatiblePeer as error:
        what = f"{called}: {_at(target)} knows none of the algorithms that are safe"
        raise Unreachable(what, clean(str(error)), "update the SSH server there") from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise _fault(error, time.monotonic() - begun >= timeout, target, called, timeout) from error


def check_host_key(transport: paramiko.Transport, target: SshTarget, called: str) -> None:
    """Raises HostKeyRefused unless known_hosts has the server's key, and not as revoked."""
    key = transport.get_remote_server_key()
    key_type, blob = key.get_name(), key.asbytes()
    known = KnownHosts.read(target.known_hosts)
    verdict = known.judge(target.hostname, target.port, key_type, blob)
    offered = f"{_at(target)} offers {key_type} {fingerprint(blob)}"
    if verdict is Verdict.UNKNOWN:
        files = " or ".join(str(path) for path in target.known_hosts)
        fix = f"compare the fingerprint, then: {target.trust}" if target.trust else ""
        raise HostKeyRefused(f"{called}: its host key is not known", f"{offered}, which is not in {files}", fix)
    if verdict is Verdict.CHANGED:
        before = ", ".join(
            f"{one.key_type} {fingerprint(one.blob)} ({one.place})" for one in known.of(target.hostname, target.port)
        )
        why = f"{offered}; known is {before}. Somebody may answer in its place, or it was set up anew"
        fix = f"only if you know why it changed: {target.trust}" if target.trust else ""
        raise HostKeyRefused(f"{called}: its host key has CHANGED", why, fix)
    if verdict is Verdict.REVOKED:
        fix = "give that machine a new host key, and find out why this one was revoked"
        raise HostKeyRefused(f"{called}: its host key is revoked", f"{offered}, which is @revoked in known_hosts", fix)


def _choose_algorithms(transport: paramiko.Transport, known: tuple[str, ...]) -> None:
    options = transport.get_security_options()
    for field in ("ciphers", "digests", "kex", "key_types"):
        setattr(options, field, tuple(name for name in getattr(options, field) if not _OLD.search(name)))
    # A round trip of 60 bytes costs 73 us of CPU with GCM and 95 us with CTR and a MAC, bulk a third less (measured).
    options.ciphers = sorted(options.ciphers, key=lambda name: "-gcm@" not in name)
    # A server offers the key that we name first: one that is known must not lose to a better one that is not.
    first = {name for key_type in known for name in _RSA.get(key_type, (key_type,))}
    options.key_types = sorted(options.key_types, key=lambda name: name not in first)


def _fault(error: Exception, late: bool, target: SshTarget, called: str, timeout: float) -> Unreachable:
    ended = any(isinstance(one, (EOFError, ConnectionError)) for one in (error, error.__context__))
    if late:
        return Unreachable(
            f"{called}: no SSH server answers at {_at(target)} within {timeout:g} s",
            "connections are taken there, but the handshake does not come to an end",
            "check ssh.port, and sshd on that machine",
        )
    if ended and target.proxy_command:
        what, why = f"{called}: its ProxyCommand ended before an SSH server answered", clean(target.proxy_command)
        return Unreachable(what, why, "try that command in a shell")
    if ended:
        why = "it is no SSH server, or one that takes no more connections now (MaxStartups)"
        return Unreachable(f"{called}: {_at(target)} ended the connection before the login", why, "check ssh.port")
    return Unreachable(f"{called}: {_at(target)} is not an SSH server", clean(str(error)), "check ssh.port")


def _at(target: SshTarget) -> str:
    return clean(target.address)
