#!/usr/bin/env bash
# Usage: run.sh host:port
set -euo pipefail
cd "$(dirname "$0")"
cache="$(mkdir -p "${CQLOCK_CACHE_DIR:-../../../.cache}" && cd "${CQLOCK_CACHE_DIR:-../../../.cache}" && pwd)/conformance-java"
classes="$cache/classes-$(cat src/*.java pom.xml | sha256sum | cut -c1-12)"
mkdir -p "$cache"
if [ ! -e "$cache/complete" ] || [ pom.xml -nt "$cache/complete" ]; then
  mvn -q -B dependency:copy-dependencies -DoutputDirectory="$cache/lib"
  touch "$cache/complete"
fi
if [ ! -d "$classes" ]; then
  made="$(mktemp -d "$cache/made.XXXXXX")"
  javac -encoding UTF-8 -d "$made" -cp "$cache/lib/*" src/*.java
  # Of two at once one is first.
  mv -T "$made" "$classes" 2>/dev/null || rm -rf "$made"
fi
# It runs for seconds: what is compiled thoroughly is compiled in vain.
exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$classes:$cache/lib/*" Conformance "$1"
