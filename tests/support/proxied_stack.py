"""A stack whose programs reach Redis through a proxy, which may lose things or lead elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from tests.support.fault_proxy import ThreadedProxy
from tests.support.stack import Stack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.process import Program


class ProxiedStack(Stack):
    """`valkey` is what the proxy leads to; tests reach it past the proxy."""

    def __init__(self, directory: Path, **options: Any) -> None:
        self._proxied_url = ""
        super().__init__(directory, **options)
        self.proxy = ThreadedProxy(self.valkey.port)

    def __enter__(self) -> Self:
        self.proxy.__enter__()
        self._proxied_url = f"redis://127.0.0.1:{self.proxy.proxy.port}/0"
        self.web.environment["PAYORCH_REDIS_URL"] = self._proxied_url  # it was made before the proxy had its port
        return super().__enter__()

    def end(self) -> None:
        """End everything at once, the proxy last."""
        super().end()
        self.proxy.__exit__(None, None, None)

    def _program(self, name: str, arguments: list[str], **more: str) -> Program:
        program = super()._program(name, arguments, **more)
        program.environment["PAYORCH_REDIS_URL"] = self._proxied_url or self.valkey.url
        return program
