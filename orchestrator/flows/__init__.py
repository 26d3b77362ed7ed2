"""The flows at the provider, by name."""

from orchestrator.flows.card import CARD
from orchestrator.flows.common import Flow, Notification
from orchestrator.flows.payin import PAYIN

FLOWS: dict[str, Flow] = {flow.name: flow for flow in (CARD, PAYIN)}

__all__ = ["FLOWS", "Flow", "Notification"]
