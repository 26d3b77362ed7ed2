"""What the engine works with: its ports and its policy, wired once by the composition root."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.list_scans import ListScans
from orchestrator.read_paths import ReadPaths

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.policy import Policy
    from orchestrator.ports import Clock, Journal, Limiter, PaymentStore, Provider
    from orchestrator.rules import IntakeRules
    from orchestrator.webhook_auth import WebhookAuth


def _random_id() -> str:
    return os.urandom(16).hex()


@dataclass(frozen=True, kw_only=True, slots=True)
class Engine:
    """The ports and the policy. `owner` is the random id of this process's start."""

    store: PaymentStore
    provider: Provider
    limiter: Limiter
    clock: Clock
    journal: Journal
    policy: Policy
    rules: IntakeRules
    webhooks: WebhookAuth
    namespace: str
    owner: str
    new_id: Callable[[], str] = _random_id
    read_paths: ReadPaths = field(default_factory=ReadPaths)
    list_scans: ListScans = field(default_factory=ListScans)
