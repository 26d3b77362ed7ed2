"""The flows at the provider, by name."""

from orchestrator.flows.card import CARD
from orchestrator.flows.common import Flow, Notification
from orchestrator.flows.gateway_link import GATEWAY_LINK
from orchestrator.flows.payid import PAYID
from orchestrator.flows.payin import PAYIN

FLOWS: dict[str, Flow] = {flow.name: flow for flow in (CARD, GATEWAY_LINK, PAYID, PAYIN)}

__all__ = ["FLOWS", "Flow", "Notification"]
