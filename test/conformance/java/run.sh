#!/usr/bin/env bash
# Usage: run.sh host:port
set -euo pipefail
cd "$(dirname "$0")"
cache="$(mkdir -p "${CQLOCK_CACHE_DIR:-../../../.cache}" && cd "${CQLOCK_CACHE_DIR:-../../../.cache}" && pwd)/conformance-java"
mkdir -p "$cache/classes"
if [ ! -e "$cache/complete" ] || [ pom.xml -nt "$cache/complete" ]; then
  mvn -q -B dependency:copy-dependencies -DoutputDirectory="$cache/lib"
  touch "$cache/complete"
fi
javac -encoding UTF-8 -d "$cache/classes" -cp "$cache/lib/*" src/Conformance.java
exec java -Xmx256m -cp "$cache/classes:$cache/lib/*" Conformance "$1"
