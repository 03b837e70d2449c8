# docker build --tag retroflex .
# One image for web servers, Ray nodes and commands; EXTRAS names the optional parts, see pyproject.toml.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS build
ARG EXTRAS=postgres,milvus,cluster,places
WORKDIR /source
RUN python -m venv --without-pip /opt/retroflex
# The dependencies first: they change rarely, and are most of the image.
COPY requirements.txt ./
RUN pip --python /opt/retroflex/bin/python install --no-cache-dir --requirement requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY data data
COPY captioner captioner
COPY retrieval retrieval
COPY webui webui
COPY training training
# hadolint ignore=DL3013
RUN pip --python /opt/retroflex/bin/python install --no-cache-dir ".[${EXTRAS}]"

FROM python:${PYTHON}-slim-bookworm
RUN groupadd --gid 10001 retroflex \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /pictures --shell /usr/sbin/nologin retroflex \
    && install --directory --owner 10001 --group 10001 /library /pictures
COPY --from=build /opt/retroflex /opt/retroflex
# The root may be read-only: only /library and /tmp are written to. Home is where the page offers folders to add.
ENV PATH=/opt/retroflex/bin:$PATH \
    HOME=/pictures \
    XDG_CACHE_HOME=/library/cache \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    RETROFLEX_LIBRARY=/library
VOLUME ["/library"]
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["retroflex"]
# Without a password or RETROFLEX_TOKEN it does not start: others could reach it.
CMD ["serve", "--host", "0.0.0.0"]
