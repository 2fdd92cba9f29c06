# A job on a GPU or, without --gpus, on none; as you, so that it can write your folder:
# docker run --gpus all --user "$(id -u):$(id -g)" -v "$PWD/data:/data" gpu-pricer run data=parquet data.path=/data/in
FROM nvidia/cuda:12.9.1-runtime-ubuntu24.04

RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home pricer

WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY gpu_pricer gpu_pricer
COPY kernels kernels
COPY conf conf
RUN python3 -m venv .venv \
    && pip install --no-cache-dir --constraint constraints.txt --editable ".[example,baselines,cuda12]" \
    && mkdir --mode=1777 /data

# Any user id may run this: what has neither a name nor a home finds both here.
ENV USER=pricer HOME=/tmp NUMBA_CACHE_DIR=/tmp/numba CUPY_CACHE_DIR=/tmp/cupy
USER pricer
WORKDIR /data
ENTRYPOINT ["gpu-pricer"]
CMD ["--help"]
