#!/usr/bin/env bash
# Usage: run.sh host:port
set -euo pipefail
cd "$(dirname "$0")/../../.."
exec node --import ./test/support/ts_loader.mjs test/conformance/node/conformance.ts "$1"
