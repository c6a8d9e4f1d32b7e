# Images of the service and of the command line.
#
#   docker build --tag colocalize .                        # CPU, the default target
#   docker build --target gpu --tag colocalize:gpu .       # CUDA
#
# PYTHON_IMAGE may be any image with Python >= 3.11 and its venv module. CUDA_IMAGE must have the CUDA and cuDNN major
# versions that the newest onnxruntime-gpu on PyPI is built for, at present CUDA 13 and cuDNN 9 (driver 580 or later), and
# an apt with Python >= 3.11. For an older driver, take a base and a wheel of CUDA 12 together:
#
#   --build-arg CUDA_IMAGE=nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04 --build-arg PIP_OPTIONS='onnxruntime-gpu<1.27'
#
# What the build needs but the image must not keep comes as build secrets: `pip_conf`, a pip.conf (an index of your own,
# credentials), and `ca_bundle`, certificates that it may name as `cert = /run/secrets/ca_bundle`:
#
#   --secret id=pip_conf,src=pip.conf --secret id=ca_bundle,src=ca.pem
#
# PIP_OPTIONS is added to `pip install`: options, or further requirements that narrow versions.
ARG PYTHON_IMAGE=python:3.12-slim
ARG CUDA_IMAGE=nvidia/cuda:13.0.2-cudnn-runtime-ubuntu24.04

# The wheel holds Python and the model only, so one serves both targets.
FROM ${PYTHON_IMAGE} AS wheel
ENV PIP_CONFIG_FILE=/run/secrets/pip_conf PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python3 -m venv /opt/build
WORKDIR /src
COPY . .
RUN --mount=type=secret,id=pip_conf --mount=type=secret,id=ca_bundle \
    /opt/build/bin/pip wheel --no-deps --wheel-dir /wheel .

# Installed from outside with the pip of a second environment, so that the one that is shipped has no installer in it.
FROM ${PYTHON_IMAGE} AS install-cpu
ENV PIP_CONFIG_FILE=/run/secrets/pip_conf PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/colocalize
COPY --from=wheel /wheel /wheel
ARG PIP_OPTIONS=""
RUN --mount=type=secret,id=pip_conf --mount=type=secret,id=ca_bundle \
    /opt/build/bin/pip --python /opt/colocalize/bin/python install ${PIP_OPTIONS} "$(echo /wheel/*.whl)[cpu,serve]"

FROM ${CUDA_IMAGE} AS python-gpu
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*

FROM python-gpu AS install-gpu
ENV PIP_CONFIG_FILE=/run/secrets/pip_conf PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/colocalize
COPY --from=wheel /wheel /wheel
ARG PIP_OPTIONS=""
RUN --mount=type=secret,id=pip_conf --mount=type=secret,id=ca_bundle \
    /opt/build/bin/pip --python /opt/colocalize/bin/python install ${PIP_OPTIONS} "$(echo /wheel/*.whl)[gpu,serve]"

FROM python-gpu AS gpu
COPY --from=install-gpu /opt/colocalize /opt/colocalize
ENV PATH=/opt/colocalize/bin:${PATH} HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# As variables, not as options, which would win over what `docker run --env` sets.
ENV COLOCALIZE_HOST=0.0.0.0 COLOCALIZE_PORT=8000 COLOCALIZE_REQUIRE_GPU=true
# Where a volume for COLOCALIZE_OBJECTS_DIR goes, as the user's that it is to be written by.
RUN install --directory --owner=10001 --group=10001 /var/lib/colocalize
WORKDIR /tmp
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["/opt/colocalize/bin/python", "-I", "-m", "service.process.healthcheck"]
ENTRYPOINT ["colocalize"]
CMD ["serve"]
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="Colocalize" \
      org.opencontainers.image.description="Finds the thing a set of images has in common (CUDA)" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

FROM ${PYTHON_IMAGE} AS cpu
COPY --from=install-cpu /opt/colocalize /opt/colocalize
ENV PATH=/opt/colocalize/bin:${PATH} HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
ENV COLOCALIZE_HOST=0.0.0.0 COLOCALIZE_PORT=8000
# Where a volume for COLOCALIZE_OBJECTS_DIR goes, as the user's that it is to be written by.
RUN install --directory --owner=10001 --group=10001 /var/lib/colocalize
WORKDIR /tmp
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["/opt/colocalize/bin/python", "-I", "-m", "service.process.healthcheck"]
ENTRYPOINT ["colocalize"]
CMD ["serve"]
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="Colocalize" \
      org.opencontainers.image.description="Finds the thing a set of images has in common" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
