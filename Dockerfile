# Two stages: the first installs the locked dependencies and builds the page, the second holds only what runs.
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY requirements/runtime.txt requirements/runtime.txt
RUN python -m venv /opt/sitewatch \
 && /opt/sitewatch/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt
COPY . .
RUN /opt/sitewatch/bin/pip install --no-cache-dir --no-deps .

FROM python:3.12-slim-bookworm
RUN useradd --uid 10001 --create-home --home-dir /data --shell /usr/sbin/nologin sitewatch
COPY --from=build /opt/sitewatch /opt/sitewatch
COPY --chown=root:root sites.geojson /usr/share/sitewatch/sites.geojson
COPY --chown=root:root history /usr/share/sitewatch/history
COPY --chown=root:root --chmod=0755 container/start /usr/local/bin/start
ENV PATH=/opt/sitewatch/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SITEWATCH_SITES_FILE=/data/sites.geojson \
    SITEWATCH_HISTORY_FILE=/usr/share/sitewatch/history/published.csv \
    SITEWATCH_HOST=0.0.0.0
# A folder, not a file: an edited sites.geojson is replaced, and a mounted file cannot be.
VOLUME /data
WORKDIR /data
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["start"]
CMD ["run"]
