from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.sandbox.desk import exact

PAYINS, CARDS = "/api/v2/payins/all", "/api/v2/cards/payments"


async def test_payins_are_listed_20_a_page_newest_first_until_a_page_is_short(desk):
    made = [(await desk.payin(external_id=f"order-{number}"))["uuid"] for number in range(45)]
    pages = [exact(await desk.get(PAYINS, page=page)) for page in (1, 2, 3, 4)]
    assert [len(page["records"]) for page in pages] == [20, 20, 5, 0]
    assert [row["uuid"] for page in pages for row in page["records"]] == made[::-1]
    assert pages[0]["total_page"] == 3


async def test_a_listed_payin_has_strings_for_amounts_and_booleans(desk):
    await desk.payin()
    row = exact(await desk.get(PAYINS))["records"][0]
    assert {key: row[key] for key in ("amount", "total", "paid_amount", "gst", "is_refundable")} == {
        "amount": "500.0",
        "total": "500.0",
        "paid_amount": "0.0",
        "gst": "false",
        "is_refundable": "false",
    }
    assert "stage" not in row


async def test_cards_are_listed_by_status_with_a_total(desk):
    await desk.card()
    uuid = (await desk.card(token={"id": "tok_no3ds"}))["uuid"]
    found = exact(await desk.get(CARDS, status="authorised", per_page=1))
    assert ([row["uuid"] for row in found["records"]], found["total"], found["per_page"]) == ([uuid], 1, 1)


@pytest.mark.parametrize("pattern", ["%Y-%m-%dT%H:%M:%S", "%d/%m/%y", "%d/%m/%Y"])
@pytest.mark.parametrize(
    ("path", "first", "last"), [(PAYINS, "from_date", "to_date"), (CARDS, "start_date", "end_date")]
)
async def test_lists_are_bounded_by_dates_in_both_formats(desk, path, first, last, pattern):
    await desk.payin()
    await desk.card()
    now = datetime.now(UTC)
    hour, day = timedelta(hours=1), timedelta(days=2)

    async def count(start, end) -> int:
        query = {first: start.strftime(pattern), last: end.strftime(pattern)}
        return len((await desk.get(path, **query)).json()["records"])

    assert await count(now - hour, now + hour) == 1
    assert await count(now - 2 * day, now - day) == 0
    assert await count(now + day, now + 2 * day) == 0


@pytest.mark.parametrize("query", [{"from_date": "yesterday"}, {"to_date": "1"}, {"page": "0"}, {"per_page": "x"}])
async def test_a_wrong_list_parameter_is_refused_by_name(desk, query):
    reply = await desk.get(PAYINS, **query)
    assert (reply.status_code, set(reply.json()["errors"])) == (422, set(query))
