# The model server `situs-cell`. From the root of the repository:
#   docker build --file compose/cell.Dockerfile --tag situs-cell:0.1.0 .
#
# The packages are those for a GPU, which serve on a CPU as well. For a GPU give a base that has, beside Python 3.11 or
# newer as `python` with pip, the CUDA and cuDNN for which onnxruntime-gpu was made (13.x and 9.x for 1.31), and start
# the cell with `--device gpu`:
#   --build-arg BASE=...
# In BASE also give the digest that you have looked at: a tag may mean another image tomorrow.
ARG BASE=python:3.11.14-slim-bookworm

FROM ${BASE} AS build
# One moment for everything that is made here, so that the same sources give the same files.
ARG SOURCE_DATE_EPOCH=1580601600
ENV SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY compose/build.lock compose/cell.lock compose/
RUN pip install --require-hashes --only-binary :all: --requirement compose/build.lock
RUN python -m venv --without-pip /opt/situs
RUN pip --python /opt/situs/bin/python install --require-hashes --only-binary :all: --requirement compose/cell.lock
COPY LICENSE README.md pyproject.toml ./
COPY extproc extproc
COPY inference inference
RUN pip wheel --no-deps --no-index --no-build-isolation --wheel-dir dist .
RUN pip --python /opt/situs/bin/python install --no-deps --no-index --find-links dist situs

FROM ${BASE} AS cell
LABEL org.opencontainers.image.title="situs-cell" \
      org.opencontainers.image.description="A regional inference cell that says on every answer what served it, and where" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/situs /opt/situs
# onnxruntime as PyPI has it reports to its maker unless told not to, before it is loaded.
ENV ORT_DISABLE_TELEMETRY=1
ENV PATH=/opt/situs/bin:${PATH} PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /
USER 65532:65532
HEALTHCHECK NONE
CMD ["situs-cell", "--help"]
