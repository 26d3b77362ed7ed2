import io
import json
import logging
import warnings

import pytest
import structlog

from config.logging import configure_logging, get_logger

SECRET = "tok_CANARY"


@pytest.fixture(autouse=True)
def _logging_as_before():
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def lines(stream):
    configure_logging(log_format="json", stream=stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_line_is_json_with_utc_time_level_and_logger(lines):
    get_logger("orchestrator.advance", merchant="default").info("payment.committed", version=3)
    [line] = lines()
    assert line.pop("at").endswith("Z")
    assert line == {
        "event": "payment.committed",
        "level": "info",
        "logger": "orchestrator.advance",
        "merchant": "default",
        "version": 3,
    }


@pytest.mark.parametrize(
    "name", ["celery.worker.strategy", "kombu.connection", "aiohttp.server", "uvicorn.error", "asyncio"]
)
def test_lines_of_libraries_come_through_the_same_door(lines, name):
    logger = logging.getLogger(name)
    logger.addHandler(logging.StreamHandler(io.StringIO()))
    logging.getLogger(name).error("lost %s", f"redis://:CANARY@host/0 {SECRET}")
    [line] = lines()
    assert line["logger"] == name
    assert line["event"] == "lost redis://host/*** tok_***"


def test_handlers_and_levels_that_libraries_brought_are_removed(stream):
    own = io.StringIO()
    logging.getLogger("uvicorn.access").addHandler(logging.StreamHandler(own))
    logging.getLogger("uvicorn.access").setLevel(logging.CRITICAL)
    configure_logging(log_format="json", stream=stream)
    logging.getLogger("uvicorn.access").warning("GET /")
    assert own.getvalue() == ""
    assert "GET /" in stream.getvalue()


def test_exception_is_redacted_to_its_last_line(lines):
    try:
        try:
            raise ValueError(f"reply had {SECRET}")
        except ValueError as error:
            raise RuntimeError("card 4111 1111 1111 1111") from error
    except RuntimeError:
        get_logger("a").exception("call.failed")
        logging.getLogger("celery").exception("task failed")
    text = json.dumps(lines())
    assert "RuntimeError" in text
    assert "ValueError" in text
    assert "CANARY" not in text
    assert "4111" not in text


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_format_shows_a_canary(stream, log_format):
    configure_logging(log_format=log_format, stream=stream)
    local_secret = SECRET
    try:
        raise ValueError("no")
    except ValueError:
        get_logger("a", token=local_secret).exception(
            "x.y", note=local_secret, redirect_url=f"https://a/{local_secret}"
        )
    logging.getLogger("b").warning("with extra", extra={"authorization": SECRET[4:], "note": SECRET})
    assert "x.y" in stream.getvalue()
    assert "CANARY" not in stream.getvalue()


def test_bound_context_is_redacted(lines):
    with structlog.contextvars.bound_contextvars(intent_id="ord-1", customer_email="CANARY"):
        get_logger("a").info("x")
    [line] = lines()
    assert line["intent_id"] == "ord-1"
    assert line["customer_email"] == "***"


def test_level_holds_for_both_kinds_of_loggers(stream):
    configure_logging(log_format="json", level="warning", stream=stream)
    get_logger("a").info("x")
    logging.getLogger("b").info("x")
    assert stream.getvalue() == ""


def test_clients_that_tell_every_call_are_quiet(lines):
    logging.getLogger("httpx").info("HTTP Request: POST https://api/CANARY")
    assert lines() == []


def test_line_that_cannot_be_formatted_does_not_show_its_arguments(stream, capsys):
    # Again inside the test, since pytest has put its own handlers beside ours by now.
    configure_logging(log_format="json", stream=stream)
    logging.getLogger("celery").error("%d", SECRET)
    captured = capsys.readouterr()
    assert "log.line_lost logger=celery" in captured.err
    assert "CANARY" not in captured.err + captured.out


def test_second_call_replaces_the_first(stream):
    configure_logging(log_format="json", stream=io.StringIO())
    configure_logging(log_format="json", stream=stream)
    get_logger("a").info("once")
    assert stream.getvalue().count("once") == 1


def test_warnings_are_lines_too(lines):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn(f"old {SECRET}", UserWarning, stacklevel=1)
    [line] = lines()
    assert line["logger"] == "py.warnings"
    assert "old tok_***" in line["event"]


def test_auto_is_json_where_nobody_looks(stream):
    configure_logging(log_format="auto", stream=stream)
    get_logger("a").info("x")
    assert json.loads(stream.getvalue())["event"] == "x"


def test_auto_is_console_on_a_terminal():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    configure_logging(log_format="auto", stream=terminal)
    get_logger("a").info("x.happened")
    assert "x.happened" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")
