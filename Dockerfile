# The site's one image: web server, worker and migrations are commands of it.
FROM python:3.13-slim

WORKDIR /site
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DATA_DIR=/data

COPY requirements-site.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-site.lock

COPY email_addresses.py settings.py settings_readers.py worker.py ./
COPY jobs jobs
COPY app app

# Not root; /data keeps the secret key.
RUN useradd --system --no-create-home --shell /usr/sbin/nologin --uid 10001 site \
    && install -d -o site -m 700 /data
USER 10001
VOLUME /data
EXPOSE 8000

CMD ["python", "-m", "app.serve"]
