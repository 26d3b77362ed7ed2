"""Whether the provider can be called, and can call back."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestrator.adapters.system_clock import SystemClock
from orchestrator.identity import DEFAULT_MERCHANT
from orchestrator.ports import ProviderRequest, Reply
from workers.bootstrap import open_provider
from workers.cli.checks import Finding
from workers.cli.screen import without_addresses

if TYPE_CHECKING:
    from workers.bootstrap import Settings

CHECK = "provider"
# The provider's list of payins: a read, documented, which changes nothing (contract 4.2).
HARMLESS = ProviderRequest(
    operation="list",
    credentials=DEFAULT_MERCHANT,
    method="GET",
    path="/v2/payins/all",
    query=(("page", "1"), ("per_page", "1")),
)


def check_provider(settings: Settings) -> list[Finding]:
    """One harmless read with the credentials of merchant `default`."""
    parts = urlsplit(settings.provider_base_url)
    name = f"{parts.hostname} (over TLS)" if parts.scheme == "https" else str(parts.hostname)
    found = [_answer(asyncio.run(_call(settings)), host=name)]
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        found.append(
            Finding.warning(CHECK, "is called without TLS: credentials can be read on the way", "use https://")
        )
    return found


def check_webhook_address(settings: Settings) -> list[Finding]:
    """The shape of PAYORCH_WEBHOOK_BASE_URL; whether it leads here only the provider can tell."""
    check = "webhooks"
    ours, theirs = urlsplit(settings.webhook_base_url), urlsplit(settings.provider_base_url)
    if _is_loopback(ours.hostname or "") and not _is_loopback(theirs.hostname or ""):
        said = f"PAYORCH_WEBHOOK_BASE_URL names {ours.hostname}, which the provider cannot reach"
        return [Finding.wrong(check, said, "give the public https address of the web process")]
    if ours.path.rstrip("/").endswith("/webhooks"):
        said = "PAYORCH_WEBHOOK_BASE_URL ends with /webhooks, which is added to it once more"
        return [Finding.warning(check, said, "leave that part out")]
    if ours.scheme == "http" and not _is_loopback(ours.hostname or ""):
        said = "PAYORCH_WEBHOOK_BASE_URL is plain http: its Authorization can be read on the way"
        return [Finding.warning(check, said, "use https://")]
    return [Finding.ok(check, f"the provider is told to call {ours.scheme}://{ours.netloc}")]


async def _call(settings: Settings) -> Reply:
    provider = open_provider(settings, clock=SystemClock())
    try:
        return await provider.call(HARMLESS)
    finally:
        await provider.close()


def _answer(reply: Reply, *, host: str) -> Finding:
    if reply.http_status is None:
        said = f"{host} does not answer ({without_addresses(reply.error) or 'no reason given'})"
        return Finding.wrong(
            CHECK, said, "check PAYORCH_PROVIDER_BASE_URL, DNS, the firewall and PAYORCH_PROVIDER_CA_FILE"
        )
    if reply.http_status in {401, 403}:
        said = f"{host} does not accept the credentials (HTTP {reply.http_status})"
        return Finding.wrong(CHECK, said, "check PAYORCH_PROVIDER_APP_ID and PAYORCH_PROVIDER_SECRET_KEY")
    if reply.http_status == 200 and reply.is_json:
        return Finding.ok(CHECK, f"{host} answers and accepts the credentials")
    said = f"{host} answered HTTP {reply.http_status}{'' if reply.is_json else ' without JSON'} to a harmless read"
    return Finding.warning(CHECK, said, "is PAYORCH_PROVIDER_BASE_URL the provider's?")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
