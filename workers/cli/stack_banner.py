"""How to play with a stack that keeps running, and the wait until somebody ends it."""

from __future__ import annotations

import json
import shlex
import time
from typing import TYPE_CHECKING

from workers.cli.screen import complain
from workers.cli.stack import Stack, StackError
from workers.cli.stack_settings import without_password

if TYPE_CHECKING:
    from pathlib import Path

LOOK_EVERY_S = 0.5
EXAMPLE = {
    "intent_id": "ord-1001",
    "amount_minor": 125050,
    "currency": "PHP",
    "description": "Order 1001",
    "customer": {"name": "Demo Customer", "email": "customer@shop.example"},
    "method": {"payin_method_name": "ph_ewallet_gcash_php"},
}
BANNER = """
payorch runs on this machine until Ctrl-C. Its provider is the sandbox: no money moves.{lifetime}

  web      {web}  webhooks, /v1/payments, /readyz, /metrics
  worker   {worker}  /readyz, /metrics
  sandbox  {sandbox}/_sandbox/  open it in a browser to play the customers, the bank and the provider
  state    {redis}
  broker   {broker}{namespace}
  logs     {directory}/*.log

In a second terminal, in the same environment:
  . {env}                     the settings and secrets of this run
  payorch watch                                    show events as they come
  payorch submit {example}
  payorch get ord-1001 --show-action               with the address to open as the customer
  curl -s {sandbox}/_sandbox/payments              what the provider has; take its uuid
  curl -s -X POST {sandbox}/_sandbox/payments/UUID/pay        or decline, expire, …: docs/sandbox.md
"""


def keep_running(stack: Stack) -> None:
    """Tell how to use it and wait for Ctrl-C, which ends it in order; raises StackError where a program ended."""
    complain(banner(stack))
    try:
        while not (dead := stack.dead()):
            time.sleep(LOOK_EVERY_S)
    except KeyboardInterrupt:
        complain("stopping ...")
        return
    raise StackError(f"{dead.name} ended with status {dead.exit_status}. Its last lines:\n{dead.tail()}")


def banner(stack: Stack) -> str:
    """The text; writes the two files it names into the stack's directory, which only this user can read."""
    settings = stack.settings
    is_embedded = any(child.name == "redis" for child in stack.children)
    return BANNER.format(
        lifetime="\nIts Redis is embedded: what is stored goes when it ends." if is_embedded else "",
        web=settings.web_url,
        worker=settings.worker_url,
        sandbox=settings.sandbox_url,
        redis=without_password(settings.redis_url),
        broker=without_password(settings.broker_url),
        namespace=f", names begin with {settings.namespace}" if settings.namespace else "",
        directory=stack.directory,
        env=_env_file(stack),
        example=_example_file(stack),
    )


def _env_file(stack: Stack) -> Path:
    path = stack.directory / "env"
    path.touch(mode=0o600)
    lines = (f"export {name}={shlex.quote(value)}\n" for name, value in stack.settings.payorch().items())
    path.write_text("".join(lines))
    return path


def _example_file(stack: Stack) -> Path:
    path = stack.directory / "order.json"
    path.write_text(json.dumps(EXAMPLE, indent=2) + "\n")
    return path
