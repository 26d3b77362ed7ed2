"""One simulated world: the store, the provider, the shop and the processes between them, all by one seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from orchestrator.adapters.memory_limiter import MemoryLimiter
from orchestrator.dialect import Dialect
from orchestrator.flows import FLOWS
from orchestrator.policy import Policy
from orchestrator.rules import IntakeRules
from orchestrator.webhook_auth import WebhookAuth
from tests.simulator.checks import Checks
from tests.simulator.conduct import Conduct
from tests.simulator.courier import Courier
from tests.simulator.dice import Dice
from tests.simulator.faults import Weather
from tests.simulator.loop import VirtualLoop
from tests.simulator.payer import Payer
from tests.simulator.poison import Poison
from tests.simulator.processes import Web, Worker
from tests.simulator.provider import Provider
from tests.simulator.relaying import Broker, EventLog
from tests.simulator.shop import Shop
from tests.simulator.store import VirtualClock, WatchedStore
from tests.simulator.story import Story
from tests.simulator.stream import Stream
from tests.simulator.tail import Tail
from tests.simulator.truth import Truth
from tests.simulator.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.simulator.loop import Life

SECRETS = ("tok_", "po1.", "secret")
BEGINS_S = 1_800_000_000.0
IN_DOUBT_AGED_MS = 2 * 3600 * 1000  # a day of looks shows nothing that two hours do not
UNSETTLED_AFTER_MS = 3 * 86_400_000  # here cards settle within hours, and refunds end
SKEW_MAX_S = 0.5  # what a store clock is off at most, by how it is heard


class Journal:
    """The engine's journal; what needs a person's eye becomes part of the story."""

    def __init__(self, world: World) -> None:
        self._world = world

    def info(self, event: str, /, **fields: object) -> None:
        """Nothing that the story does not tell already."""
        for value in fields.values():
            if isinstance(value, str | dict) and any(secret in str(value) for secret in SECRETS):
                self._world.violated("I8", f"{event} writes a secret into the log")

    def warning(self, event: str, /, **fields: object) -> None:
        self.info(event, **fields)
        told = " ".join(f"{name}={value}" for name, value in fields.items())
        self._world.story.tell(f"says {event} {told}")

    def alarm(self, name: str, fields: Mapping[str, object], /) -> None:
        self.warning(name, **fields)


class World:
    """Everything of one run."""

    def __init__(self, seed: int) -> None:
        random.seed(seed)  # the reconciler and the relay shuffle by the module's own
        self.dice = Dice(seed)
        self.loop = VirtualLoop(self.dice, begins_s=BEGINS_S)
        self.story = Story(time_s=self.loop.time, began_s=BEGINS_S)
        self.weather = Weather(self.dice)
        self.violations: list[tuple[str, str, int]] = []
        self.store_is_away = False
        self.provider_is_away = False
        self._skew_s = self.dice.skewed(0.001, SKEW_MAX_S) if self.dice.chance(0.5) else 0.0
        self.journal = Journal(self)
        self.truth = Truth(self)
        self.conduct = Conduct(self)
        self.poison = Poison(self)
        self.unreadable = Unreadable(self)
        self.tail = Tail(self)
        self.checks = Checks(self)
        self.store = WatchedStore(self)
        self.limiter = MemoryLimiter(
            clock=VirtualClock(self), rate_per_s=self.dice.pick((0.5, 5.0, 5.0)), burst=self.dice.pick((1, 10))
        )
        self.policy = Policy(
            payid_own_mailboxes=frozenset({"ada@example.com"}) if self.dice.chance(0.3) else frozenset(),
            dialect=Dialect(card_refund_unit="minor"),
            in_doubt_aged_ms=IN_DOUBT_AGED_MS,
            unsettled_after_ms=UNSETTLED_AFTER_MS,
        )
        self.rules = IntakeRules(merchants=frozenset({"default", "shop-b"}), flows=frozenset(FLOWS))
        self.webhooks = WebhookAuth("https://hooks.example", ("secret",))
        self.provider = Provider(self)
        self.payer = Payer(self)
        self.courier = Courier(self)
        self.shop = Shop(self)
        self.stream = Stream(self)
        self.event_log = EventLog(self)
        self.broker = Broker(self)
        self.workers = [Worker(self, f"w{number + 1}") for number in range(self.dice.pick((1, 2, 2, 2, 3)))]
        self.web = Web(self, "web")
        self.shop.open()

    def ahead_s(self) -> float:
        """How far a new process's clock is off."""
        return self.dice.between(-self._skew_s, self._skew_s)

    def violated(self, invariant: str, sentence: str) -> None:
        """Note a broken promise."""
        self.story.tell(f"VIOLATION {invariant}: {sentence}")
        self.violations.append((invariant, sentence, int(self.loop.time() * 1000)))

    def strikes(self, life: Life, at: str) -> bool:
        """Whether the process is killed before this call of its port is made; other things may happen to it too."""
        weather = self.weather
        if not weather.strikes:
            return False
        process: Any = next((each for each in (*self.workers, self.web) if each.life is life), None)
        if process is None:
            return False
        if weather.brings("crash before a call"):
            self.story.tell(f"{life.name} is to be killed before {at}")
            self.loop.after(0.0, process.die)
            return True
        if weather.brings("crash during a call"):
            self.loop.after(self.dice.skewed(0.0002, 5), process.die)
        if weather.brings("freeze") and not life.is_frozen:
            process.freeze()
        if weather.brings("store cut off"):
            process.cut_off()
        if process is not self.web and weather.brings("drain"):
            process.drain()
        if weather.brings("store away"):
            self._away("store_is_away")
        if weather.brings("provider cut off"):
            self._away("provider_is_away")
        return False

    def freeze(self, life: Life) -> None:
        """Stop the process of this life for a while, if it runs."""
        process = next((each for each in (*self.workers, self.web) if each.life is life), None)
        if process is not None and not life.is_dead and not life.is_frozen:
            process.freeze()

    def end(self) -> None:
        """Nothing of it goes on."""
        for process in (*self.workers, self.web):
            self.loop.kill(process.life)
        self.loop.close()

    def strike(self, life: Life) -> None:
        """Something happens to a process at a bad moment."""
        process: Any = next((each for each in self.workers if each.life is life), None)
        if process is not None and not life.is_frozen:
            self.dice.pick((process.die, process.freeze, process.freeze, process.drain))()

    def life_of(self, name: str) -> Life | None:
        """The present life of this name; None where it is over."""
        return next((each.life for each in (*self.workers, self.web) if each.life.name == name), None)

    def stir(self, *names: str) -> None:
        """There may be something to do for workers that would look later."""
        for worker in self.workers:
            for name in names:
                idler = worker.idlers.get(name)
                if idler is not None and idler.left_out is not None:
                    self.loop.pull_in(idler)

    def clear_up(self) -> None:
        """From now on nothing goes wrong, and whoever is frozen or cut off is so no more."""
        self.story.tell("the weather clears up")
        self.weather.clear_up()
        self.unreadable.clear_up()
        self.store_is_away = self.provider_is_away = False
        self.broker.away_until_s = 0.0
        for process in (*self.workers, self.web):
            process.line.is_cut = False
            process.life.troubled_s = self.loop.time()
            if process.life.is_frozen:
                self.loop.thaw(process.life)

    def _away(self, name: str) -> None:
        if not getattr(self, name):
            for_s = self.dice.skewed(0.5, 40)
            self.story.tell(f"{name.replace('_', ' ')} for {for_s:.1f} s")
            setattr(self, name, True)
            self.loop.after(for_s, setattr, self, name, False)
