# A job from the checkout, on a GPU or without: docker run --gpus all -v $PWD/data:/data gpu-pricer run data=parquet ...
FROM nvidia/cuda:12.9.1-runtime-ubuntu24.04

RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home pricer

WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH NUMBA_CACHE_DIR=/tmp/numba
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY gpu_pricer gpu_pricer
COPY kernels kernels
COPY conf conf
RUN python3 -m venv .venv \
    && pip install --no-cache-dir --constraint constraints.txt --editable ".[example,cuda12]" \
    && mkdir /data && chown pricer /data

USER pricer
WORKDIR /data
ENTRYPOINT ["gpu-pricer"]
CMD ["--help"]
