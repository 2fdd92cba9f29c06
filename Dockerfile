# A job on a GPU or, without --gpus, on none; as you, so that it can write your folder:
# docker run --gpus all --user "$(id -u):$(id -g)" -v "$PWD/data:/data" gpu-pricer run data=parquet data.path=/data/in
FROM nvidia/cuda:12.9.1-runtime-ubuntu24.04@sha256:1287141d283b8f06f45681b56a48a85791398c615888b1f96bfb9fc981392d98

RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home pricer

WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH
COPY requirements requirements
RUN python3 -m venv .venv \
    && pip install --no-cache-dir --require-hashes --requirement requirements/build.txt \
    && pip install --no-cache-dir --require-hashes --no-build-isolation --requirement requirements/image.txt \
    && pip check
COPY pyproject.toml README.md LICENSE ./
COPY gpu_pricer gpu_pricer
COPY kernels kernels
COPY conf conf
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && pip inspect --local > bill_of_materials.json \
    && mkdir --mode=1777 /data

# Any user id may run this: what has neither a name nor a home finds both here.
ENV USER=pricer HOME=/tmp NUMBA_CACHE_DIR=/tmp/numba CUPY_CACHE_DIR=/tmp/cupy
USER pricer
WORKDIR /data
ENTRYPOINT ["gpu-pricer"]
CMD ["--help"]
