"""The parts of a worker as steps of Celery's worker blueprint: they start before the consumer and drain after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import bootsteps
from celery.concurrency.solo import TaskPool as SoloPool
from celery.worker import state
from celery.worker.components import Pool

from orchestrator.errors import PayorchError
from workers.process import WorkerProcess

if TYPE_CHECKING:
    from celery.worker import WorkController


class WrongPoolError(PayorchError):
    """The worker's pool cannot hold the engine; the text says which can."""


class LoopStep(bootsteps.StartStopStep):
    """The event loop, and the engine on it."""

    requires = (Pool,)

    def __init__(self, worker: WorkController, **options: Any) -> None:
        if not issubclass(worker.pool_cls, SoloPool):
            message = f"payorch runs with the pool solo, one process a core, not {worker.pool_cls.__module__}"
            raise SystemExit(message)
        worker.payorch = WorkerProcess(worker.app.payorch_settings)
        worker.app.payorch = worker.payorch
        super().__init__(worker, **options)

    def start(self, worker: WorkController) -> None:
        """Wait for Redis, at most until a SIGTERM; a Redis that must not be used ends the worker with the reason."""
        try:
            worker.payorch.start_loop(while_waiting=state.maybe_shutdown)
        except PayorchError as error:
            raise SystemExit(str(error)) from None

    def stop(self, worker: WorkController) -> None:
        """End the loop, last of all."""
        worker.payorch.stop_loop()

    def terminate(self, worker: WorkController) -> None:
        """The same in a cold shutdown."""
        worker.payorch.stop_loop()

    def info(self, worker: WorkController) -> dict[str, object]:
        """What `celery inspect stats` shows."""
        return {"payorch": dict(worker.payorch.about())}


class _RoleStep(bootsteps.StartStopStep):
    """A part that runs where PAYORCH_ROLES names it."""

    role = ""

    def include_if(self, worker: WorkController) -> bool:
        """Leave the step out where the role is not this worker's."""
        return self.role in worker.app.payorch_settings.roles

    def start(self, worker: WorkController) -> None:
        """Start the part."""
        getattr(worker.payorch, f"start_{self.role}")()

    def close(self, worker: WorkController) -> None:
        """The first thing at any stop, before Celery's consumer and the other steps are stopped one by one."""
        worker.payorch.begin_stop()

    def stop(self, worker: WorkController) -> None:
        """Drain the part; a cold shutdown meanwhile (SIGQUIT, a second SIGINT) cuts it short."""
        getattr(worker.payorch, f"stop_{self.role}")(hurried=lambda: state.should_terminate is not None)

    def terminate(self, worker: WorkController) -> None:
        """A cold shutdown: calls on the wire are cut off, everything is handed back at once."""
        getattr(worker.payorch, f"stop_{self.role}")(hurried=lambda: True)


class RelayStep(_RoleStep):
    """Publishes the event log; stops after the payments have come to rest."""

    role = "relay"
    requires = (LoopStep,)


class ReconcileStep(_RoleStep):
    """Advances payments."""

    role = "reconcile"
    requires = (LoopStep, RelayStep)


class IntakeStep(_RoleStep):
    """Takes messages; starts last, stops first."""

    role = "intake"
    requires = (LoopStep, ReconcileStep)


STEPS = (LoopStep, RelayStep, ReconcileStep, IntakeStep)
