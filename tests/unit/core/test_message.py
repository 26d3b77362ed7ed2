from __future__ import annotations

import json
import unicodedata

import pytest

from orchestrator.errors import RefusedError
from orchestrator.message import _CONTROL, BODY_MAX_BYTES, parse_message


def refusal_of(body: bytes) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        parse_message(body)
    return refused.value


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"", "invalid_json", None),
        (b"not json", "invalid_json", None),
        (b'{"a": 1', "invalid_json", None),
        (b'{"a": 1} x', "invalid_json", None),
        (b"{'a': 1}", "invalid_json", None),
        (b'{"a": "\xff"}', "invalid_json", None),
        (b'{"a": "line\nbreak"}', "invalid_json", None),
        (b'{"a": NaN}', "invalid_json", None),
        (b'{"a": -Infinity}', "invalid_json", None),
        (b'{"a": 1e999}', "invalid_json", None),
        (b'{"a": ' + b"9" * 5000 + b"}", "invalid_json", None),
        (b"[]", "not_an_object", None),
        (b"null", "not_an_object", None),
        (b'"text"', "not_an_object", None),
        (b"17", "not_an_object", None),
        (b'{"specversion": "1.0", "data": "text"}', "not_an_object", "data"),
        (b'{"specversion": "1.0", "data": null}', "not_an_object", "data"),
        (b'{"a": 1, "a": 1}', "duplicate_field", "a"),
        (b'{"method": {"token": 1, "token": 2}}', "duplicate_field", "token"),
        (b'{"a": "line\\nbreak"}', "control_character", "a"),
        (b'{"a": "nul\\u0000"}', "control_character", "a"),
        (b'{"a": "del\\u007f"}', "control_character", "a"),
        (b'{"a": "c1\\u0085"}', "control_character", "a"),
        (b'{"a": "half \\ud800"}', "control_character", "a"),
        (b'{"a": {"b": ["x", "\\t"]}}', "control_character", "a.b[1]"),
        (b'{"a": {"k\\u0001": 1}}', "control_character", "a.k?"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "too_deep", None),
        (b"[" * 30_000, "too_deep", None),
        (b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}", "too_deep", None),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_i9_bad_bytes_are_refused_with_a_stable_code_and_the_field(body, code, field):
    refused = refusal_of(body)
    assert (refused.code, refused.field) == (code, field)
    assert refused.message.isprintable()
    assert len(refused.message) < 300


def test_more_than_64_kib_is_refused_and_exactly_64_kib_is_read():
    filler = BODY_MAX_BYTES - len(b'{"a": ""}')
    assert parse_message(b'{"a": "' + b"x" * filler + b'"}') == {"a": "x" * filler}
    assert refusal_of(b'{"a": "' + b"x" * (filler + 1) + b'"}').code == "too_large"


def test_the_text_of_a_refusal_repeats_no_control_characters():
    refused = refusal_of(b'{"a\\u001b[31m": 1, "a\\u001b[31m": 1}')
    assert refused.field == "a?[31m"


def test_a_cloudevent_is_unwrapped():
    intent = {"intent_id": "o", "metadata": {"a": "b"}}
    event = {"specversion": "1.0", "id": "1", "type": "order.created", "source": "/shop", "data": intent}
    assert parse_message(json.dumps(event).encode()) == intent


@pytest.mark.parametrize("missing", ["specversion", "data"])
def test_half_a_cloudevent_is_taken_as_it_is(missing):
    message = {"specversion": "1.0", "data": {"intent_id": "o"}}
    del message[missing]
    assert parse_message(json.dumps(message).encode()) == message


def test_unicode_beyond_ascii_is_kept():
    assert parse_message('{"name": "José チュオン 🙂"}'.encode()) == {"name": "José チュオン 🙂"}


def test_the_characters_refused_are_those_of_the_categories_cc_and_cs():
    refused = {chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in {"Cc", "Cs"}}
    assert {chr(code) for code in range(0x110000) if _CONTROL.search(chr(code))} == refused
