"""`python -m sandbox`: the provider's stand-in on this machine."""

import argparse
import os
import sys
from collections.abc import Sequence

from sandbox.app import create_app
from sandbox.server import make_server
from sandbox.settings import READERS, SandboxSettingsError, from_environment, variable_of

SECRET = {"default_webhook_authorization"}  # not in the arguments, which everybody can read


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped; 2 if a setting is missing or bad."""
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    host, port, log_level = options.pop("host"), options.pop("port"), options.pop("log_level")
    environment = dict(os.environ)
    environment.update({variable_of(name): text for name, text in options.items() if text is not None})
    try:
        settings = from_environment(environment)
    except SandboxSettingsError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    server = make_server(create_app(settings), host=host, port=port, log_level=log_level)
    server.run()
    return 0 if server.started else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8900)
    parser.add_argument("--log-level", default="warning", choices=["debug", "info", "warning", "error"])
    for name in sorted(READERS.keys() - SECRET):
        parser.add_argument(f"--{name.replace('_', '-')}", help=f"overrides {variable_of(name)}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
