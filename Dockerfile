# One image; the command names the role (Procfile). No index but pip's own is asked, and every file is checked.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/payorch
WORKDIR /src
COPY requirements/run.lock requirements/run.lock
RUN /opt/payorch/bin/python -m pip install --no-deps --require-hashes -r requirements/run.lock
COPY pyproject.toml README.md ./
COPY orchestrator orchestrator
COPY workers workers
COPY config config
COPY sandbox sandbox
RUN /opt/payorch/bin/python -m pip install --no-deps --no-build-isolation . \
    && /opt/payorch/bin/python -m compileall -q /opt/payorch/lib

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin payorch
COPY --from=build /opt/payorch /opt/payorch
ENV PATH=/opt/payorch/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PAYORCH_LOG_FORMAT=json
WORKDIR /tmp
USER 10001
STOPSIGNAL SIGTERM
CMD ["celery", "-A", "workers.app", "worker"]
