# An image that runs the suite, on a CPU or on a GPU. Its build step is the README's: `make setup`.
#
#   docker build -t sambench .
#   docker run --rm sambench demo
#   docker build -t sambench:gpu --build-arg DEVICE=gpu .
#   docker run --rm --gpus all -v "$PWD/mine:/sambench/mine" sambench:gpu run method=unet results=mine
#
# DEVICE=gpu adds what torch.compile needs (a C compiler) and asks the NVIDIA container toolkit for
# the driver's libraries; CUDA itself comes with torch's wheel. Where another package index has
# wheels of torch for CPUs alone, `--build-arg PIP_EXTRA_INDEX_URL=...` makes an image without CUDA.
ARG DEVICE=cpu

FROM python:3.11-slim AS cpu
RUN apt-get update \
 && apt-get install -y --no-install-recommends git make \
 && rm -rf /var/lib/apt/lists/*

FROM cpu AS gpu
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM ${DEVICE}
ARG PIP_EXTRA_INDEX_URL=
ENV PIP_NO_CACHE_DIR=1
RUN useradd --create-home --uid 1000 sambench && install -d -o sambench /sambench
USER sambench
WORKDIR /sambench
COPY --chown=sambench . .
RUN make setup
ENV PATH=/sambench/.venv/bin:$PATH
ENTRYPOINT ["python", "-m", "bench"]
CMD ["--help"]
