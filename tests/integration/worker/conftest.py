from __future__ import annotations

import pytest

from tests.support.process import Program
from tests.support.servers import free_port
from tests.support.stack import settings


@pytest.fixture
def make_program(tmp_path):
    """Makes workers and web processes of one test, with settings changed or (None) left out."""
    made = []

    def make(name, *, arguments=(), redis_url=NO_REDIS, **more):
        environment = settings(
            redis_url=redis_url or NO_REDIS, provider_url="http://127.0.0.1:1", web_url="http://127.0.0.1:2"
        )
        for field, value in {**more, "redis_url": redis_url}.items():
            variable = f"PAYORCH_{field.upper()}"
            environment.pop(variable, None)
            if value is not None:
                environment[variable] = value
        program = Program(name, [*COMMANDS[name], *arguments], environment=environment, directory=tmp_path)
        made.append(program)
        return program

    yield make
    for program in made:
        program.kill()


NO_REDIS = "redis://127.0.0.1:1/0"
COMMANDS = {
    "worker": ["-m", "celery", "-A", "workers.app", "worker"],
    "web": ["-m", "uvicorn", "workers.web:app", "--factory", "--port", str(free_port())],
}
