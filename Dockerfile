# The relay with its dependencies. It runs without root and writes only to one volume, which holds the state.
# For OAuth2 at the upstream: docker build --build-arg LOCK=requirements-oauth.lock (25 MB more)

FROM python:3.13-slim AS build
ARG LOCK=requirements.lock
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements*.lock ./
RUN python -m venv /build \
 && python -m venv --without-pip /opt/relay \
 && /build/bin/pip install --no-deps --require-hashes -r requirements-build.lock \
 && /build/bin/pip --python /opt/relay/bin/python install --no-deps --require-hashes -r $LOCK \
 && /build/bin/pip --python /opt/relay/bin/python check
COPY pyproject.toml README.md LICENSE ./
COPY relay relay
COPY app_client app_client
COPY templates templates
RUN /build/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /build/bin/pip --python /opt/relay/bin/python install --no-index --no-deps /wheels/*.whl

FROM python:3.13-slim
RUN groupadd --gid 2525 relay \
 && useradd --uid 2525 --gid relay --no-create-home --home-dir /var/lib/error-mail-relay --shell /usr/sbin/nologin relay \
 && install -d -o relay -g relay -m 0700 /var/lib/error-mail-relay
COPY --from=build /opt/relay /opt/relay
RUN /opt/relay/bin/relay completion bash >/etc/relay-completion.bash \
 && echo '. /etc/relay-completion.bash' >>/etc/bash.bashrc
ENV PATH=/opt/relay/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    RELAY_STORAGE__DATA_DIR=/var/lib/error-mail-relay \
    RELAY_SMTP__LISTEN=0.0.0.0:2525 \
    RELAY_SMTP__CLIENTS=loopback,attached \
    RELAY_HTTP__LISTEN=0.0.0.0:8026
USER 2525:2525
VOLUME /var/lib/error-mail-relay
EXPOSE 2525 8026
STOPSIGNAL SIGTERM
# A check each second while the container starts, then every 30 seconds: `--pause` waits. The option --start-interval is
# not used, because Docker before 25 cannot build an image with it.
HEALTHCHECK --interval=1s --timeout=45s --start-period=20s --retries=3 CMD ["relay", "health", "--pause", "29"]
ENTRYPOINT ["relay"]
CMD ["serve"]
