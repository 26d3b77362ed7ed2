"""What the engine does, as log lines and as Prometheus metrics with few labels and never an id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client.core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Figures = dict[str, dict[str, object]]

# Engine event -> the counter it raises and the fields that become its labels.
_COUNTED: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "intent.accepted": ("payorch_intents_accepted_total", "Intents stored.", ("flow",)),
    "intent.known": ("payorch_intents_known_total", "Intents that were stored before.", ("flow",)),
    "intent.refused": ("payorch_intents_refused_total", "Messages that became dead letters.", ("refusal_code",)),
    "payment.moved": ("payorch_payments_moved_total", "Published changes.", ("flow", "status", "observed_by")),
    "payment.needs_review": ("payorch_reviews_total", "Reasons for a person to look.", ("flow", "review")),
    "payment.fenced": ("payorch_payments_fenced_total", "Writes of workers that lost their claim.", ()),
    "payment.parked": ("payorch_payments_parked_total", "Payments put aside with a review.", ()),
    "payment.unreadable": ("payorch_payments_unreadable_total", "Claims of what this version cannot read.", ()),
    "provider.replied": ("payorch_provider_replies_total", "Calls to the provider.", ("operation", "verdict")),
    "store.tail_lost": ("payorch_store_tails_lost_total", "Shards found to have lost confirmed writes.", ()),
    "store.payment_unreadable": ("payorch_store_unreadable_total", "Claims of what holds no payment.", ()),
    "merchant.paused": ("payorch_merchant_pauses_total", "Pauses of merchants.", ("merchant", "reason")),
    "merchant.breaker_opened": ("payorch_breaker_opened_total", "Outages at the provider.", ("merchant",)),
    "merchants.reloaded": ("payorch_merchants_reloaded_total", "Merchants files that were taken over.", ()),
    "merchants.refused": ("payorch_merchants_refused_total", "Merchants files that changed nothing.", ()),
    "webhook.taken": ("payorch_webhooks_total", "Webhooks by what became of them.", ("outcome",)),
}


class Telemetry:
    """A Journal that writes structlog lines and counts them; its figures are those of the whole process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._log = structlog.get_logger("payorch")
        self._counters = {
            event: Counter(name, text, labels, registry=self.registry)
            for event, (name, text, labels) in _COUNTED.items()
        }

    def info(self, event: str, /, **fields: object) -> None:
        """Say and count what happened."""
        self._count(event, fields)
        self._log.info(event, **fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Say and count what somebody on call may want to know."""
        self._count(event, fields)
        self._log.warning(event, **fields)

    def watch(self, figures: Callable[[], Figures]) -> None:
        """Export the numbers of these figures as gauges `payorch_<part>_<name>`, those in a dict by merchant."""
        self.registry.register(_FigureCollector(figures))

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def _count(self, event: str, fields: Mapping[str, object]) -> None:
        counter = self._counters.get(event)
        if counter is None:
            return
        labels = _COUNTED[event][2]
        (counter.labels(*(str(fields.get(label)) for label in labels)) if labels else counter).inc()


class _FigureCollector(Collector):
    def __init__(self, figures: Callable[[], Figures]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        for part, figures in self._figures().items():
            for name, value in figures.items():
                if isinstance(value, int | float):
                    yield GaugeMetricFamily(f"payorch_{part}_{name}", f"{part}: {name}", value=float(value))
                elif isinstance(value, dict):
                    family = GaugeMetricFamily(f"payorch_{part}_{name}", f"{part}: {name}", labels=["merchant"])
                    for merchant, number in value.items():
                        family.add_metric([merchant], float(number))
                    yield family
