# The program `situs`: the sidecar and its commands. From the root of the repository:
#   docker build --file compose/situs.Dockerfile --tag situs:0.1.0 .
# Its target `prepare` adds what makes a demo's world (a geolocation database, a model, an issuer of tokens).
#
# A tag may mean another image tomorrow. To say which bytes are meant, give the digest that you have looked at:
#   --build-arg BASE=python:3.11.14-slim-bookworm@sha256:...
ARG BASE=python:3.11.14-slim-bookworm

FROM ${BASE} AS build
# Which packages: the name of a lock beside this file.
ARG LOCK=situs
# One moment for everything that is made here, so that the same sources give the same files.
ARG SOURCE_DATE_EPOCH=1580601600
ENV SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY compose/build.lock compose/${LOCK}.lock compose/
RUN pip install --require-hashes --only-binary :all: --requirement compose/build.lock
RUN python -m venv --without-pip /opt/situs
RUN pip --python /opt/situs/bin/python install --require-hashes --only-binary :all: --requirement compose/${LOCK}.lock
COPY LICENSE README.md pyproject.toml ./
COPY extproc extproc
COPY inference inference
RUN pip wheel --no-deps --no-index --no-build-isolation --wheel-dir dist .
RUN pip --python /opt/situs/bin/python install --no-deps --no-index --find-links dist situs
# Where volumes are mounted: an empty volume takes its owner and its mode from here.
RUN mkdir --parents --mode 0750 state/run/situs state/run/control \
    state/var/lib/situs/log state/var/lib/situs/keys state/var/lib/situs/orders \
    state/var/lib/geo state/var/lib/models state/var/lib/issuer state/var/lib/jwks

FROM ${BASE} AS runtime
LABEL org.opencontainers.image.title="situs" \
      org.opencontainers.image.description="Jurisdiction-first routing for AI inference: the sidecar beside Envoy" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/situs /opt/situs
COPY --from=build --chown=65532:65532 /src/state/run/ /run/
COPY --from=build --chown=65532:65532 /src/state/var/lib/ /var/lib/
ENV PATH=/opt/situs/bin:${PATH} PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /
USER 65532:65532
HEALTHCHECK NONE
CMD ["situs", "--help"]

FROM runtime AS prepare
# onnxruntime as PyPI has it reports to its maker unless told not to, before it is loaded.
ENV ORT_DISABLE_TELEMETRY=1
COPY compose/prepare.py compose/issue_token.py /opt/compose/
CMD ["python", "/opt/compose/prepare.py", "--help"]

FROM runtime AS situs
