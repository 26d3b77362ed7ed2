from __future__ import annotations

import pytest

from tests.sandbox.builders import OTHER_APP, OTHER_SECRET, payin_body

CONTACTS = "/api/v2/contacts"
EMAIL = "test@helloclever.co"


async def test_a_contact_is_made_once_and_read_by_its_email(desk):
    made = await desk.post(CONTACTS, {"email": EMAIL, "first_name": "Clever"})
    assert (made.status_code, made.json()["first_name"]) == (201, "Clever")
    assert (await desk.get(f"{CONTACTS}/detail", email=EMAIL)).json() == made.json()
    again = await desk.post(CONTACTS, {"email": EMAIL})
    assert (again.status_code, again.json()["errors"]) == (422, {"message": "Email has already been taken."})


@pytest.mark.parametrize("email", [None, "", "nobody", "a@b", 5])
async def test_a_contact_needs_an_email(desk, email):
    reply = await desk.post(CONTACTS, {"email": email})
    assert (reply.status_code, reply.json()["errors"]) == (422, {"message": "Invalid email."})


async def test_a_contact_belongs_to_the_app_that_made_it(desk):
    await desk.post(CONTACTS, {"email": EMAIL})
    other = {"app": OTHER_APP, "secret": OTHER_SECRET}
    assert (await desk.get(f"{CONTACTS}/detail", email=EMAIL, **other)).status_code == 404
    assert (await desk.post(CONTACTS, {"email": EMAIL}, **other)).status_code == 201


async def test_a_method_that_wants_a_contact_refuses_strangers_if_switched_on(desk):
    await desk.payin("au_payid_npp_aud")
    await desk.settings(require_contact=True)
    refused = await desk.post("/api/v2/payins", payin_body("au_payid_npp_aud"))
    assert (refused.status_code, refused.json()["errors"]) == (422, {"email": "must be the email of a contact"})
    await desk.payin()
    await desk.post(CONTACTS, {"email": EMAIL})
    await desk.payin("au_payid_npp_aud")
    assert (await desk.kinds()).count("create") == 3
