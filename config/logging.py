"""Log lines: JSON or console, UTC, redacted; structlog's and everybody else's through one handler."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Literal, TextIO

import structlog

from config.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["auto", "json", "console"]

# Libraries that bring handlers and levels of their own; they go, so that nothing passes the redaction by.
_LOUD = (
    *("celery", "celery.task", "celery.worker", "celery.redirected", "celery.beat", "kombu", "amqp"),
    *("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio", "py.warnings"),
    *("aiohttp", "aiohttp.access", "aiohttp.client", "aiohttp.server", "aiohttp.web"),
)
# Below this level they tell every call with its address.
_QUIET = ("httpx", "httpcore", "kombu", "amqp", "aiohttp.access", "urllib3")


def configure_logging(*, log_format: LogFormat = "auto", level: str = "info", stream: TextIO | None = None) -> None:
    """From here on every line of this process goes to `stream` (standard error), redacted.

    Call it once, before Celery or uvicorn configure theirs: connect it to `celery.signals.setup_logging`,
    and give uvicorn `log_config=None`. A second call replaces the first.
    """
    target = sys.stderr if stream is None else stream
    console = log_format == "console" or (log_format == "auto" and target.isatty())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    handler = _Handler(target)
    handler.setFormatter(_formatter(console=console, colors=console and target.isatty()))
    _route_stdlib(handler, threshold)
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


class _Handler(logging.StreamHandler[TextIO]):
    """The standard one would print a line that it cannot format, with its arguments, past the redaction."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's own name
        reason = type(sys.exc_info()[1]).__name__
        sys.stderr.write(f"log.line_lost logger={record.name} line={record.lineno} reason={reason}\n")


def redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The structlog processor; exceptions are text by then, and no handler, whoever's, has seen the event."""
    own = {key: event[key] for key in ("_record", "_from_structlog") if key in event}
    shown = redact({key: value for key, value in event.items() if key not in own})
    return {**shown, **own}


def _shared() -> Sequence[Processor]:
    """What a line gets before it reaches the handler, whoever writes it."""
    return (
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact_event,
    )


def _formatter(*, console: bool, colors: bool) -> logging.Formatter:
    renderer: Processor = structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
    if console:
        # The plain traceback: the rich one shows local variables, which are anything.
        renderer = structlog.dev.ConsoleRenderer(
            colors=colors, exception_formatter=structlog.dev.plain_traceback, timestamp_key="at"
        )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=list(_shared()),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def _route_stdlib(handler: logging.Handler, threshold: int) -> None:
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in _LOUD:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
        logger.disabled = False
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))


def get_logger(name: str, **context: Any) -> structlog.typing.FilteringBoundLogger:
    """A logger of dotted names with ids as fields: `log.info("payment.committed", version=3)`."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(name, **context)
    return logger
