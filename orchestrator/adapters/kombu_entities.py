"""kombu's names as Any: the package says that it is typed, while its functions are not."""

from __future__ import annotations

from typing import Any

import kombu
from kombu.transport import redis as _kombu_redis

_kombu: Any = kombu
_redis: Any = _kombu_redis

Connection: Any = _kombu.Connection
Consumer: Any = _kombu.Consumer
Exchange: Any = _kombu.Exchange
Producer: Any = _kombu.Producer
Queue: Any = _kombu.Queue
binding: Any = _kombu.binding
RedisChannel: Any = _redis.Channel
RedisTransport: Any = _redis.Transport
