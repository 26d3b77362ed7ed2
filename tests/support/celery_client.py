"""An order service that speaks Celery and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import Celery

if TYPE_CHECKING:
    from collections.abc import Mapping


def send_task(url: str, namespace: str, intent: Mapping[str, Any]) -> None:
    """`payments.submit` as interface 1 has it; returns when the broker took it."""
    with Celery(broker=url) as client:
        client.send_task("payments.submit", kwargs={"intent": intent}, queue=f"{namespace}payments.tasks")
