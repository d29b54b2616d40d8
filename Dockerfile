# One image for every process; the targets differ in their command alone: web (the default), worker, clock, rpc.
#   docker build -t task-manager .        docker build -t task-manager-worker --target worker .
#   docker build -t task-manager-worker --target worker --build-arg OCR=yes .     with text recognition
#   docker build -t task-manager-worker --target worker --build-arg LIBREOFFICE=yes .     with DOC and PPT, and 280 MB more
#   docker build -t task-manager --build-arg EXTRAS="model otel s3" .             with e5 and onnx, traces, and S3

FROM python:3.11-slim-bookworm AS build
# Sets of requirements besides: `model`, `otel`, `s3`.
ARG EXTRAS=
WORKDIR /build
COPY requirements/ requirements/
# The environment is made without pip, so that none is in the final image. Wheels only: there is no compiler here.
RUN python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: \
        $(for set in web worker clock rpc $EXTRAS; do echo "-r requirements/$set.txt"; done)

FROM python:3.11-slim-bookworm AS service
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin service
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /service
COPY alembic.ini gunicorn.conf.py addresses.py clock.py errors.py keys.py logs.py metrics.py outbound.py pipeline.py settings.py tracing.py web.py ./
COPY deploy/worker.sh deploy/
COPY alembic/ alembic/
COPY models/ models/
COPY broker/ broker/
COPY processes/ processes/
COPY sentences/ sentences/
COPY tasks/ tasks/
COPY documents/ documents/
COPY worker/ worker/
COPY actors/ actors/
COPY api/ api/
COPY dashboard/ dashboard/
COPY samples/ samples/
COPY rpc/ rpc/
RUN python -m compileall -q .
USER 10001
STOPSIGNAL SIGTERM

FROM service AS worker
# Not empty: with Tesseract, which reads scans and images; with LibreOffice, which reads DOC and PPT.
ARG OCR=
ARG LIBREOFFICE=
USER root
RUN if [ -n "$OCR$LIBREOFFICE" ]; then \
        apt-get update \
        && apt-get install --yes --no-install-recommends \
            ${OCR:+tesseract-ocr tesseract-ocr-eng tesseract-ocr-chi-sim} \
            ${LIBREOFFICE:+libreoffice-writer-nogui libreoffice-impress-nogui} \
        && rm -rf /var/lib/apt/lists/*; \
    fi
USER 10001
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=2 CMD ["python", "-m", "tasks.working.alive", "worker"]
CMD ["sh", "deploy/worker.sh"]

FROM service AS clock
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=2 CMD ["python", "-m", "tasks.working.alive", "clock"]
CMD ["python", "-m", "clock"]

FROM service AS rpc
EXPOSE 8085
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["python", "-m", "rpc.alive"]
CMD ["python", "-m", "rpc"]

FROM service AS web
EXPOSE 8084
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + (os.environ.get('PORT') or '8084') + '/livez', timeout=2)"]
CMD ["gunicorn", "web:app", "-k", "asgi", "-c", "gunicorn.conf.py"]
