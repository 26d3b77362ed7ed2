"""The sandbox behind a socket."""

import uvicorn
from starlette.applications import Starlette

from sandbox.wire import CuttableProtocol

SHUTDOWN_S = 1


def make_server(app: Starlette, *, host: str, port: int, log_level: str = "warning") -> uvicorn.Server:
    """Make a server that can cut connections; hanging requests do not outlive its shutdown."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=CuttableProtocol,
            ws="none",
            lifespan="on",
            log_level=log_level,
            access_log=False,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
    )
