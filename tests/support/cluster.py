"""A Redis Cluster of real servers: three masters, with a replica each where asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis.crc import key_slot

from tests.support.process import wait_for
from tests.support.servers import ValkeyServer, bundled_binary, held_port

if TYPE_CHECKING:
    import socket
    from pathlib import Path

MASTERS = 3
SLOTS = 16_384
FAILS_OVER_AFTER_MS = 1500
STAYS_WHOLE_FOR_MS = 15_000  # without replicas nothing is to fail over, however long the machine stands still
FORMS_WITHIN_S = 30.0


class ValkeyCluster:
    """Started at once; the slots are spread evenly. A node that is killed may come back with `restart`."""

    def __init__(self, directory: Path, *, replicas: bool = False) -> None:
        self._held: list[socket.socket] = []  # from the first to the last moment: nodes die and come back
        self.masters = [self._node(directory / f"master{n}") for n in range(MASTERS)]
        self.replicas = [self._node(directory / f"replica{n}") for n in range(MASTERS if replicas else 0)]
        self._bus_ports = {node.port: self._port() for node in self.nodes}

    @property
    def nodes(self) -> list[ValkeyServer]:
        return [*self.masters, *self.replicas]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def start(self) -> None:
        """Returns when every node says that all slots are served and every replica follows its master."""
        for node in self.nodes:
            self.start_node(node)
        for number, master in enumerate(self.masters):
            begin, end = number * SLOTS // MASTERS, (number + 1) * SLOTS // MASTERS
            told(master, "CLUSTER", "ADDSLOTSRANGE", str(begin), str(end - 1))
            told(master, "CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        first, *others = self.nodes
        for node in others:
            told(node, "CLUSTER", "MEET", "127.0.0.1", str(first.port), str(self._bus_ports[first.port]))
        wait_for(lambda: all(len(self.known(node)) == len(self.nodes) for node in self.nodes), within_s=FORMS_WITHIN_S)
        for master, replica in zip(self.masters, self.replicas, strict=False):
            told(replica, "CLUSTER", "REPLICATE", self.id_of(master))
        wait_for(lambda: all(self.is_whole(node) for node in self.nodes), within_s=FORMS_WITHIN_S)
        wait_for(lambda: all(follows(replica) for replica in self.replicas), within_s=FORMS_WITHIN_S)
        if self.replicas:
            wait_for(lambda: all(is_followed(master) for master in self.masters), within_s=FORMS_WITHIN_S)

    def start_node(self, node: ValkeyServer) -> None:
        """Start one, for the first time or again."""
        bus = ("--cluster-port", str(self._bus_ports[node.port]))
        timeout_ms = FAILS_OVER_AFTER_MS if self.replicas else STAYS_WHOLE_FOR_MS
        node.start("--cluster-enabled", "yes", "--cluster-node-timeout", str(timeout_ms), *bus)

    def end(self) -> None:
        for node in self.nodes:
            node.kill()
        for holder in self._held:
            holder.close()

    def flush(self) -> None:
        """Empty all masters, once all of them are there."""
        wait_for(lambda: all(self.is_whole(master) for master in self.masters), within_s=FORMS_WITHIN_S)
        for master in self.masters:
            master.flush()

    def is_whole(self, node: ValkeyServer) -> bool:
        """Whether this node says that every slot is served."""
        return b"cluster_state:ok" in node.command("CLUSTER", "INFO")

    def known(self, node: ValkeyServer) -> dict[str, str]:
        """The ids of the nodes that one knows, by their port."""
        lines = node.command("CLUSTER", "NODES").decode().splitlines()
        words = [line.split() for line in lines if "@" in line]
        return {each[1].partition("@")[0].rpartition(":")[2]: each[0] for each in words if "handshake" not in each[2]}

    def id_of(self, node: ValkeyServer) -> str:
        return self.known(node)[str(node.port)]

    def _port(self) -> int:
        self._held.append(held_port())
        return int(self._held[-1].getsockname()[1])

    def _node(self, directory: Path) -> ValkeyServer:
        return ValkeyServer(directory, binary=bundled_binary(), port=self._port())

    def master_of(self, key: str) -> ValkeyServer:
        """Which of the first masters was given the slot of this key."""
        return self.masters[key_slot(key.encode()) * MASTERS // SLOTS]


def told(node: ValkeyServer, *words: str) -> None:
    """Give an order; AssertionError where it is refused."""
    answer = node.command(*words)
    assert answer == b"+OK\r\n", f"{' '.join(words)}: {answer!r}"


def follows(node: ValkeyServer) -> bool:
    """Whether a replica has its master's data and hears what is new."""
    return b"master_link_status:up" in node.command("INFO", "replication")


def is_followed(node: ValkeyServer) -> bool:
    """Whether a master knows its replica, and hears from it what it has."""
    return b"state=online" in node.command("INFO", "replication") and node.command("WAIT", "1", "100") == b":1\r\n"
