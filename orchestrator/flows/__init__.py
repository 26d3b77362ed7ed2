"""The flows at the provider, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.flows import card, payid, payin
from orchestrator.flows.card import CARD
from orchestrator.flows.common import Flow, Notification
from orchestrator.flows.gateway_link import GATEWAY_LINK
from orchestrator.flows.payid import PAYID
from orchestrator.flows.payin import PAYIN

if TYPE_CHECKING:
    from orchestrator.dialect import Dialect
    from orchestrator.flows.common import BuildRequest

FLOWS: dict[str, Flow] = {flow.name: flow for flow in (CARD, GATEWAY_LINK, PAYID, PAYIN)}

READS: dict[str, BuildRequest] = {
    "payin_detail": payin.detail_request,
    "card_payment": card.card_read_request,
    "payid_status": payid.status_request,
}


def reads_of(flow: str, dialect: Dialect) -> tuple[BuildRequest, ...]:
    """The reads that answer payments of a flow, in order: the flow's own, unless an operator knows better."""
    names = dialect.reads.get(flow)
    return FLOWS[flow].reads if names is None else tuple(READS[name] for name in names)


__all__ = ["FLOWS", "READS", "Flow", "Notification", "reads_of"]
