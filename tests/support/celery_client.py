"""An order service that speaks Celery and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import Celery

if TYPE_CHECKING:
    from collections.abc import Mapping


def send_task(url: str, namespace: str, intent: Mapping[str, Any]) -> None:
    """`payments.submit` as interface 1 has it; returns when the broker took it."""
    _send(url, namespace, "payments.submit", {"intent": intent})


def send_command_task(url: str, namespace: str, command: Mapping[str, Any]) -> None:
    """`payments.command` likewise."""
    _send(url, namespace, "payments.command", {"command": command})


def send_replay_task(url: str, namespace: str, **options: str) -> None:
    """The operator's task `payments.replay`."""
    _send(url, namespace, "payments.replay", options)


def send_audit_task(url: str, namespace: str, **options: str | bool) -> None:
    """The operator's task `payments.audit`."""
    _send(url, namespace, "payments.audit", options)


def send_retention_task(url: str, namespace: str) -> None:
    """The operator's task `payments.retention`."""
    _send(url, namespace, "payments.retention", {})


def _send(url: str, namespace: str, task: str, arguments: Mapping[str, Any]) -> None:
    with Celery(broker=url) as client:
        client.send_task(task, kwargs=arguments, queue=f"{namespace}payments.tasks")
