"""Addresses that name several hosts: `scheme://user:password@host:port,host:port/path`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

Address = tuple[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Hosts:
    """Whom to ask, and how to log in where they lead to."""

    hosts: tuple[Address, ...]
    username: str | None
    password: str | None
    path: str


def read_hosts(url: str, *, port: int) -> Hosts:
    """The parts of the address; `port` is that of a host that names none. Raises ValueError, which may repeat parts."""
    # The standard library's parsers know one host, and some versions refuse more.
    authority, _, path = url.partition("://")[2].partition("/")
    userinfo, _, hosts = authority.rpartition("@")
    username, _, password = userinfo.partition(":")
    return Hosts(
        hosts=tuple(_host_and_port(host, port) for host in hosts.split(",")),
        username=unquote(username) or None,
        password=unquote(password) or None,
        path=path.strip("/"),
    )


def _host_and_port(host: str, otherwise: int) -> Address:
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, str(otherwise)
    if not name:
        raise ValueError(host)
    return name.strip("[]"), int(port)
