#!/usr/bin/env bash
# Usage: run.sh host:port
set -euo pipefail
cd "$(dirname "$0")"
cache="$(mkdir -p "${CQLOCK_CACHE_DIR:-../../../.cache}" && cd "${CQLOCK_CACHE_DIR:-../../../.cache}" && pwd)/conformance-go"
program="$cache/conformance-$(cat *.go go.mod go.sum | sha256sum | cut -c1-12)"
if [ ! -x "$program" ]; then
  mkdir -p "$cache"
  made="$(mktemp "$cache/made.XXXXXX")"
  go build -o "$made" . || { rm -f "$made"; exit 1; }
  chmod 755 "$made"
  # Of two at once both are whole.
  mv "$made" "$program"
fi
exec "$program" "$1"
