"""Removes what a namespace left on servers that others use too."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import redis

from orchestrator.adapters import topology
from orchestrator.adapters.amqp_connection import BROKER_ERRORS, close_quietly, open_connection

if TYPE_CHECKING:
    from workers.cli.stack_settings import StackSettings

BATCH = 500
KOMBU_DEADLINES = "_kombu.binding_deadlines"
UNREACHABLE: tuple[type[Exception], ...] = (*BROKER_ERRORS, redis.RedisError)
# Celery's own, for its remote control; its queues end with their worker.
CELERY_EXCHANGES = ("{}celery.pidbox", "reply.{}celery.pidbox", "{}celeryev")


def remove_traces(settings: StackSettings, *, keys: bool) -> None:
    """Remove the namespace's queues and exchanges, and its keys where `keys`; says what could not be removed."""
    if not settings.namespace:
        raise ValueError("without a namespace everything on the server would be removed")
    try:
        if topology.is_amqp(settings.broker_url):
            _remove_queues(settings)
        if keys:
            _remove_keys(settings.redis_url, settings.namespace)
        if settings.broker_url != settings.redis_url and not topology.is_amqp(settings.broker_url):
            _remove_keys(settings.broker_url, settings.namespace)
    except UNREACHABLE as error:
        sys.stderr.write(f"payorch: what begins with {settings.namespace} was not removed ({type(error).__name__})\n")


def _remove_queues(settings: StackSettings) -> None:
    names = topology.build(settings.namespace)
    connection = open_connection(settings.broker_url)
    try:
        channel: Any = connection.channel()
        for queue in names.queues:
            channel.queue_delete(queue.name)
        for exchange in (*names.exchanges, names.tasks_queue):
            channel.exchange_delete(exchange.name)
        for pattern in CELERY_EXCHANGES:
            channel.exchange_delete(pattern.format(settings.namespace))
    finally:
        close_quietly(connection)


def _remove_keys(url: str, namespace: str) -> None:
    client = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
    try:
        # kombu puts its own words before a name: _kombu.binding.<namespace>….
        for key in client.scan_iter(match=f"*{namespace}*", count=BATCH):
            client.unlink(key)
        # In what kombu keeps for all users of the server, only the namespace's rows are ours.
        for key in client.scan_iter(match="_kombu.binding*", _type="SET"):
            for member in client.sscan_iter(key, match=f"*{namespace}*"):
                client.srem(key, member)
        for member, _ in client.zscan_iter(KOMBU_DEADLINES, match=f"*{namespace}*"):
            client.zrem(KOMBU_DEADLINES, member)
    finally:
        client.close()
