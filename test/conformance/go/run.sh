#!/usr/bin/env bash
# Usage: run.sh host:port
set -euo pipefail
cd "$(dirname "$0")"
cache="$(mkdir -p "${CQLOCK_CACHE_DIR:-../../../.cache}" && cd "${CQLOCK_CACHE_DIR:-../../../.cache}" && pwd)/conformance-go"
mkdir -p "$cache"
go build -o "$cache/conformance" .
exec "$cache/conformance" "$1"
