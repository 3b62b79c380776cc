#!/bin/bash
# Addresses and the cluster's name from the container, then Cassandra as its own user.
set -eu
while read -r address name _; do [ "$name" = "$HOSTNAME" ] && ip="$address"; done < /etc/hosts
sed -i "s/ADDRESS/$ip/g; s/^cluster_name:.*/cluster_name: ${CASSANDRA_CLUSTER_NAME:-Test Cluster}/" /etc/cassandra/cassandra.yaml
chown -R 999:999 /var/lib/cassandra
# shellcheck disable=SC2086
exec setpriv --reuid 999 --regid 999 --clear-groups java @/etc/cassandra/jvm.options \
  "-Xms${MAX_HEAP_SIZE:-1G}" "-Xmx${MAX_HEAP_SIZE:-1G}" ${JVM_EXTRA_OPTS:-} \
  -Dlogback.configurationFile=/etc/cassandra/logback.xml -Dcassandra.jmx.local.port=7199 \
  -cp '/opt/cassandra/lib/*' org.apache.cassandra.service.CassandraDaemon
