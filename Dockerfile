# The server in one image: with DATABASE_URL it uses that database, without it the embedded one in its volume.
FROM python:3.11-slim

# Other containers reach it by the name `core6`; for more names set ALLOWED_HOSTS.
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 CORE6_DATA_DIR=/var/lib/core6 \
    ALLOWED_HOSTS=localhost,127.0.0.1,[::1],core6
WORKDIR /srv/core6

COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock

COPY manage.py LICENSE ./
COPY core6 core6
COPY projects projects
COPY roles roles
COPY annotations annotations
COPY cohorts cohorts

RUN useradd --system --create-home core6 && install --directory --owner core6 /var/lib/core6
USER core6
VOLUME /var/lib/core6
EXPOSE 8000

HEALTHCHECK --interval=5s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/_readyz', timeout=2)"]
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0"]
