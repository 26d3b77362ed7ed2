"""A provider that answers payin creates after a fixed time and costs as little as it can: the load's other end."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from typing import Any

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ID = re.compile(rb'"external_id": ?"([^"]+)"')


class Answering(asyncio.Protocol):
    """One kept connection; requests come one after another."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._received = b""

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each whole request after the latency."""
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or len(rest) < (wanted := int(length.group(1)) if length else 0):
            return
        self._received = rest[wanted:]
        external_id = _ID.search(rest[:wanted])
        answer = _answer(external_id.group(1).decode() if external_id else "")
        asyncio.get_running_loop().call_later(self._latency_s, self._write, answer)

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


def _answer(external_id: str) -> bytes:
    body = {
        "uuid": f"U{abs(hash(external_id)) % 10**7:07d}",
        "status": "pending",
        "stage": "normal_stage",
        "external_id": external_id,
        "currency": "PHP",
        "amount": 500,
        "total": 500,
        "paid_amount": 0,
        "gst": False,
        "pay_code": {"pay_url": "https://pay.example/x"},
        "description": "One order" * 40,
    }
    text = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)


async def _serve(port: int, latency_s: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Answering(latency_s), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency-s", type=float, default=0.2)
    chosen = parser.parse_args()
    uvloop.run(_serve(chosen.port, chosen.latency_s))
