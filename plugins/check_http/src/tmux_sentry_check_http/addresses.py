"""Which addresses a redirect may lead to: a service out in the world must not make us ask one in here."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from enum import IntEnum

#: The addresses of a host name, as text. Raises OSError.
Resolve = Callable[[str], Sequence[str]]
#: Where else clouds keep them: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
_METADATA = (ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200"))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Reach(IntEnum):
    """From how far an address can be asked."""

    LINK = 0  # this link only, which is where clouds keep the credentials of a machine (169.254.169.254)
    INSIDE = 1  # this machine, or a private network
    WORLD = 2


def resolve(host: str) -> Sequence[str]:
    """What the system says."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


def nearest(host: str, resolve: Resolve) -> Reach:
    """The nearest that any of a host's addresses is. Raises OSError or ValueError when it has none."""
    return min(_reach(address) for address in resolve(host))


def _reach(address: str) -> Reach:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        # The same machines by another name: mapped, 6to4, and by NAT64.
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = inner or ip
    if ip.is_link_local or ip in _METADATA:
        return Reach.LINK
    return Reach.WORLD if ip.is_global and not ip.is_multicast else Reach.INSIDE
