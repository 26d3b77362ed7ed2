"""One request on its way through the gate, and the ways to end it."""

from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox import wire
from sandbox.ledger import Request

Headers = list[tuple[bytes, bytes]]


@dataclass(kw_only=True, slots=True)
class Answer:
    """What the application answered."""

    status: int = 500
    headers: Headers = field(default_factory=list)
    body: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """One request with its body read, and the ways to end it."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send
    body: bytes
    record: Request

    async def perform(self) -> Answer:
        """Let the application do it; its answer is kept back."""
        answer = Answer()
        unread = [{"type": "http.request", "body": self.body, "more_body": False}]

        async def receive() -> Message:
            return unread.pop() if unread else await self.receive()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status, answer.headers = message["status"], list(message["headers"])
            else:
                answer.body += message.get("body", b"")

        await self.app(self.scope, receive, send)
        return answer

    async def reply(self, answer: Answer, *, cut_at: int | None = None) -> None:
        """Send an answer, or its first `cut_at` bytes only."""
        self.record.status = answer.status
        await self.send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await self.send({"type": "http.response.body", "body": answer.body[:cut_at], "more_body": cut_at is not None})

    async def vanish(self, *, reset: bool = False) -> None:
        """Cut the connection."""
        await wire.cut(self.scope, self.receive, reset=reset)
