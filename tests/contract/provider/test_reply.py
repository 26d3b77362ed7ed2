"""How answers are read: tolerant of form, strict with numbers, and never raising."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.provider_json import read_json, write_json
from orchestrator.adapters.provider_reply import retry_after_s
from tests.contract.provider.raw_server import calling, post, reply, serving

READABLE = [
    (b'{"amount":200.0,"total":"200.0","n":10}', {"amount": Decimal("200.0"), "total": "200.0", "n": 10}),
    (b'{"amount":10.10}', {"amount": Decimal("10.10")}),
    (b'{"amount":1e2}', {"amount": Decimal(100)}),
    (b'\xef\xbb\xbf{"bom":true}', {"bom": True}),
    (b'{"a":1,"a":2}', {"a": 2}),
    (b"null", None),
    (b"[]", []),
    (b'"text"', "text"),
    (b'  {"a":1}\r\n', {"a": 1}),
    (b'{"name":"Jos\xe9"}', {"name": "Jos�"}),
    (b'{"a":"\\ud800","\\udfff":["x\\udc00"]}', {"a": "�", "�": ["x�"]}),
    (b'{"a":"\\ud83d\\ude00"}', {"a": "\U0001f600"}),
    (b'{"a":"\xed\xa0\x80"}', {"a": "���"}),
    (b"[" * 30 + b"]" * 30, json.loads("[" * 30 + "]" * 30)),
    (b"[" + b"{}," * 500 + b"{}]", [{}] * 501),
    (b'{"' + b"[" * 100 + b'":1}', {"[" * 100: 1}),
]


@pytest.mark.parametrize(("raw", "parsed"), READABLE, ids=range(len(READABLE)))
def test_json_in_any_state_is_read(raw, parsed):
    assert read_json(raw) == (parsed, True)
    json.dumps(read_json(raw)[0], default=str).encode()


UNREADABLE = [
    b"",
    b" ",
    b"<html>502</html>",
    b'{"uuid":"AB',
    b'{"a":NaN}',
    b'{"a":Infinity}',
    b'{"a":-Infinity}',
    b'{"a":1e999999999}',
    b'{"a":1e99999999999999999999999}',
    b'{"a":1e-400}',
    b'{"a":0.' + b"1" * 200 + b"}",
    b'{"a":' + b"9" * 101 + b"}",
    b'{"a":' + b"9" * 100_000 + b"}",
    b"[" * 100 + b"]" * 100,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    '{"a":1}'.encode("utf-16"),
    b"{'a':1}",
    b'{"a":1}{"b":2}',
    b"\x00",
    b"\xff\xfe\xfd",
]


@pytest.mark.parametrize("raw", UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_is_no_usable_json_is_none_and_raises_nothing(raw):
    assert read_json(raw) == (None, False)


@given(st.binary())
def test_no_bytes_make_the_reader_raise(raw):
    parsed, is_json = read_json(raw)
    assert is_json or parsed is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
        max_leaves=20,
    )
)
def test_what_is_written_is_read_back_the_same(value):
    parsed, is_json = read_json(write_json({"value": value}))
    assert is_json
    assert json.dumps(parsed) == json.dumps({"value": value})


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=4))
def test_a_decimal_is_written_exactly_and_without_an_exponent(number):
    raw = write_json({"amount": number})
    assert b"e" not in raw.split(b":")[1].lower()
    parsed, _ = read_json(raw)
    assert isinstance(parsed, dict)
    assert parsed["amount"] == number


@pytest.mark.parametrize(
    ("text", "written"),
    [("1E+6", "1000000"), ("1000000", "1000000"), ("100.0", "100"), ("10.50", "10.50"), ("1E-7", "0.0000001")],
)
def test_amounts_are_written_as_the_provider_reads_them(text, written):
    assert write_json({"amount": Decimal(text)}) == b'{"amount":%s}' % written.encode()


NOW = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("5", 5),
        (" 120 ", 120),
        ("99999", 3600),
        ("9" * 18, 3600),
        ("9" * 5000, None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("", None),
        ("soon", None),
        ("Sat, 99 Nov 2026 07:00:00 GMT", None),
        ("Sat, 21 Nov 99999999999 07:00:00 GMT", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(days=90), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=90), usegmt=True), 3600),
        ("Sat, 21 Nov 2026 08:01:00 +0100", 60),
        ("Sat, 21 Nov 2026 07:01:00 -0000", 60),
    ],
)
def test_retry_after_is_whole_seconds_up_to_an_hour_or_nothing(text, seconds):
    assert retry_after_s(text, now_ms=int(NOW.timestamp() * 1000)) == seconds


@given(st.text())
def test_no_retry_after_raises(text):
    assert retry_after_s(text, now_ms=0) in {None, *range(3601)}


async def answered(raw):
    async def answer(peer):
        await peer.request()
        await peer.send(raw)

    async with serving(answer) as server, calling(server.url) as provider:
        return await provider.call(post())


async def test_an_error_answer_keeps_its_status_body_and_retry_after():
    got = await answered(reply(b'{"errors":"slow"}', status=b"429 Slow", headers=b"Retry-After: 7\r\n"))
    assert (got.sent, got.http_status, got.body) == (True, 429, {"errors": "slow"})
    assert (got.is_json, got.retry_after_s, got.error) == (True, 7, "")


async def test_html_is_an_answer_without_a_body():
    got = await answered(reply(b"<html>", status=b"502 Bad", headers=b"Content-Type: text/html\r\n"))
    assert (got.sent, got.http_status, got.body, got.is_json) == (True, 502, None, False)


async def test_a_length_that_is_too_short_is_an_answer_that_is_not_json():
    got = await answered(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{"uuid":"ABC"}')
    assert (got.sent, got.is_json) == (True, False)


def gzipped(plain):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(plain) + packer.flush()


PACKED = [
    (b"gzip", gzipped(b'{"a":1}'), {"a": 1}),
    (b"GZIP", gzipped(b'{"a":1}'), {"a": 1}),
    (b"deflate", zlib.compress(b'{"a":1}'), {"a": 1}),
    (b"identity", b'{"a":1}', {"a": 1}),
]


@pytest.mark.parametrize(("encoding", "body", "parsed"), PACKED, ids=range(len(PACKED)))
async def test_an_encoding_that_was_not_asked_for_is_read_where_it_is_common(encoding, body, parsed):
    got = await answered(reply(body, headers=b"Content-Encoding: %s\r\n" % encoding))
    assert (got.http_status, got.body) == (200, parsed)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"gzip", gzipped(b'{"a":1}')[:-6]),
        (b"gzip", b'{"a":1}'),
        (b"br", b'{"a":1}'),
        (b"gzip, gzip", gzipped(gzipped(b"{}"))),
    ],
    ids=["cut", "not packed", "unknown", "twice"],
)
async def test_a_body_that_cannot_be_unpacked_is_no_whole_answer(encoding, body):
    got = await answered(reply(body, headers=b"Content-Encoding: %s\r\n" % encoding))
    assert (got.sent, got.http_status, got.is_json) == (True, None, False)
