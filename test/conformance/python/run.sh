#!/usr/bin/env bash
# Usage: run.sh host:port
set -euo pipefail
cd "$(dirname "$0")"
venv="${CQLOCK_CACHE_DIR:-../../../.cache}/conformance-python"
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import cassandra' 2>/dev/null; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: 'cassandra-driver==3.30.1'
fi
exec "$venv/bin/python" conformance.py "$1"
