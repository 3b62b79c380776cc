#!/usr/bin/env bash
# Usage: run.sh host:port [--record DIR | --compare DIR]. cqlsh from PyPI: CREATE, INSERT, SELECT, DESCRIBE, COPY TO and COPY FROM.
# --record writes what DESCRIBE prints on this server, and does nothing else; --compare wants the same here.
set -euo pipefail
endpoint="$1"
mode="${2:-}"
reference="${3:-}"
here="$(cd "$(dirname "$0")" && pwd)"
cd "$here"
venv="$(mkdir -p "${CQLOCK_CACHE_DIR:-../../../.cache}" && cd "${CQLOCK_CACHE_DIR:-../../../.cache}" && pwd)/conformance-cqlsh"
if [ ! -x "$venv/bin/cqlsh" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check 'cqlsh==6.2.2' 'cassandra-driver==3.30.1'
fi
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# TLS and password, as the variables say.
identity=()
if [ -n "${CQLOCK_TEST_TLS_CA:-}" ]; then
  printf '[ssl]\ncertfile = %s\nvalidate = true\n' "$CQLOCK_TEST_TLS_CA" > "$work/cqlshrc"
  if [ -n "${CQLOCK_TEST_TLS_CERT:-}" ]; then
    printf 'usercert = %s\nuserkey = %s\n' "$CQLOCK_TEST_TLS_CERT" "$CQLOCK_TEST_TLS_KEY" >> "$work/cqlshrc"
  fi
  identity+=(--ssl "--cqlshrc=$work/cqlshrc")
fi
if [ -n "${CQLOCK_TEST_USER:-}" ]; then
  # On the command line cqlsh warns about it.
  (umask 077 && printf '[plain_text_auth]\nusername = %s\npassword = %s\n' "$CQLOCK_TEST_USER" "$CQLOCK_TEST_PASSWORD" > "$work/credentials")
  identity+=("--credentials=$work/credentials")
fi
# Its warning about server versions comes and goes with them. COPY writes files of failed rows where it stands, and
# its history goes below HOME.
cqlsh() { (cd "$work" && HOME="$work" "$venv/bin/cqlsh" --no-color --connect-timeout=60 --request-timeout=60 ${identity[@]+"${identity[@]}"} "${endpoint%:*}" "${endpoint##*:}" "$@" 2>&1 | { grep -v '^WARNING: cqlsh was built' || true; }; exit "${PIPESTATUS[0]}"); }
# cqlsh 6.2.2 cannot import durations, from any server.
columns="$(sed -n 's/^INSERT INTO scalars (\(.*\)) VALUES (1.*/\1/p' "$here/create.cql" | sed 's/ c_duration,//')"
failed=0
check() { # check NAME: what stdin says is the verdict of the commands before it
  if [ "$2" = "$3" ]; then echo "scenario ok $1"; else failed=1; echo "scenario FAILED $1"; echo "--- wanted"; echo "$2"; echo "--- got"; echo "$3"; fi
}

# What may differ between two servers or two runs of one: ids of tables are not printed, the nodes of token ranges are addresses.
describe() { cqlsh -f "$here/describe.cql" 2>&1 | sed -E 's/[[:space:]]+$//; s/[0-9]+(\.[0-9]+){3}(:[0-9]+)?/ADDRESS/g; s/^( *)-?[0-9]{15,20} /\1TOKEN /'; }
if [ "$mode" = --record ]; then
  cqlsh -f "$here/create.cql"
  describe > "$reference/describe.out"
  # A reference without schema would compare nothing.
  [ "$(grep -c '^CREATE TABLE conf_cqlsh.composed' "$reference/describe.out")" = 2 ] || { cat "$reference/describe.out"; exit 1; }
  cqlsh -e 'DROP KEYSPACE conf_cqlsh'
  exit 0
fi

if [ "${CQLOCK_TEST_SCENARIOS:-}" = connect ]; then
  cqlsh -e 'SELECT key FROM system.local' > "$work/connect.out" && r=0 || r=$?
  check 'connect' '0 1' "$r $(grep -c '^ *local *$' "$work/connect.out")"
  exit $failed
fi
cqlsh -f "$here/create.cql" > "$work/create.out" && r=0 || r=$?
check 'create and insert' '0 ' "$r $(cat "$work/create.out")"
# Who is not let in gets no further.
[ "${CQLOCK_TEST_SCENARIOS:-}" != short ] || [ $failed = 0 ] || exit 1
check 'select' "$(cat "$here/select.expected")" "$(cqlsh -f "$here/select.cql" 2>&1 | sed 's/[[:space:]]*$//')"
if [ "${CQLOCK_TEST_SCENARIOS:-}" = short ]; then
  check 'drop' '0' "$(cqlsh -e 'DROP KEYSPACE conf_cqlsh' >/dev/null 2>&1; echo $?)"
  exit $failed
fi
check 'describe' "$(cat "$here/describe.expected")" "$(cqlsh -e 'DESCRIBE TABLE conf_cqlsh.scalars' 2>&1 | grep -E '^ +(id|c_|PRIMARY)|^CREATE' | sed 's/[[:space:]]*$//')"
if [ "$mode" = --compare ]; then
  describe > "$work/describe.out"
  check 'describe, as on Cassandra' '' "$(diff "$reference/describe.out" "$work/describe.out" || true)"
fi
check 'describe keyspace' '0' "$(cqlsh -e 'DESCRIBE KEYSPACE conf_cqlsh' > "$work/keyspace.out" 2>&1; echo $?)"
check 'describe hides' '' "$(grep -iE 'cqlock|blob_hidden' "$work/keyspace.out" || true)"
check 'copy to' '3 rows exported to 1 files' "$(cqlsh -e "COPY conf_cqlsh.scalars ($columns) TO '$work/scalars.csv' WITH HEADER = TRUE" 2>&1 | grep -oE '[0-9]+ rows exported to [0-9]+ files')"
cqlsh -e 'TRUNCATE conf_cqlsh.scalars' >/dev/null
check 'truncate' '0' "$(cqlsh -e 'SELECT count(*) FROM conf_cqlsh.scalars' 2>/dev/null | grep -oE '^ +[0-9]+' | tr -d ' ')"
check 'copy from' '3 rows imported from 1 files' "$(cqlsh -e "COPY conf_cqlsh.scalars ($columns) FROM '$work/scalars.csv' WITH HEADER = TRUE" 2>&1 | grep -oE '[0-9]+ rows imported from [0-9]+ files')"
check 'select after copy' "$(sed 's/1mo2d3ns/    null/' "$here/select.expected")" "$(cqlsh -f "$here/select.cql" 2>&1 | sed 's/[[:space:]]*$//')"
python3 -c "
for i in range(1000): print(f'part{i % 7},{i},value {i}')" > "$work/events.csv"
check 'copy from, many rows' '1000 rows imported from 1 files' "$(cqlsh -e "COPY conf_cqlsh.events (p, c, v) FROM '$work/events.csv'" 2>&1 | grep -oE '[0-9]+ rows imported from [0-9]+ files')"
cqlsh -e "COPY conf_cqlsh.events (p, c, v) TO '$work/back.csv'" >/dev/null 2>&1 || true
check 'copy to gives the same rows' "$(sort "$work/events.csv" | cksum)" "$(tr -d '\r' < "$work/back.csv" | sort | cksum)"
check 'a wrong statement' 'InvalidRequest' "$(cqlsh -e 'SELECT nope FROM conf_cqlsh.events' 2>&1 | grep -oE 'InvalidRequest' | head -1)"
check 'a syntax error' 'SyntaxException' "$(cqlsh -e 'SELEC 1' 2>&1 | grep -oE 'SyntaxException' | head -1)"
check 'tracing' '0' "$(cqlsh -e "TRACING ON; SELECT * FROM conf_cqlsh.events WHERE p = 'part1' LIMIT 1" > "$work/trace.out" 2>&1; echo $?)"
check 'drop' '0' "$(cqlsh -e 'DROP KEYSPACE conf_cqlsh' >/dev/null 2>&1; echo $?)"
exit $failed
