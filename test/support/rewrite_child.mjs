// A process of its own that rewrites a table under a new key DEK and kills itself at a step of it:
//   node rewrite_child.mjs '{"dist": "…", "port": 1, "store": {…}, "keyspace": "ks", "name": "t", "at": "rewrite.row", "nth": 1}'
// With a step that never comes it ends when the rewrite has, and prints how often it went through each step.
import { join } from 'node:path';

const { dist, port, store: paths, keyspace, name, at, nth, options } = JSON.parse(process.argv[2]);
const load = (folder) => import(join(dist, folder, 'index.js'));
const [keys, kms, rewrite, schema, upstream, util] = await Promise.all(
  ['keys', 'kms', 'rewrite', 'schema', 'upstream', 'util'].map(load),
);

const seen = {};
const step = (name) => {
  seen[name] = (seen[name] ?? 0) + 1;
  if (name === at && seen[name] === nth) process.kill(process.pid, 'SIGKILL');
};

const connection = new upstream.ControlConnection({
  contactPoints: [`127.0.0.1:${port}`],
  logger: { info: () => undefined, warn: () => undefined },
});
await connection.connect();
const store = kms.KeyStore.open({
  path: paths.keyStore,
  rootKey: kms.loadRootKey({ kind: 'file', path: paths.rootKey }),
});
const provider = new kms.EmbeddedKms({ store });
const registry = new kms.KmsRegistry(provider);
const clock = util.systemClock;
const catalog = await schema.Catalog.open({
  store: new upstream.CassandraRecordStore(connection),
  source: new upstream.CassandraSchemaSource(connection, clock),
  trust: new keys.StateDirectoryTrust(store, provider),
  clock,
});
const { clusterId } = await catalog.readRecords();
const service = new keys.KeyService({
  tableKeys: new keys.KmsTableKeys(registry),
  clusterId,
  clock,
  metrics: { kmsCall: () => undefined, leases: () => undefined },
});
const failures = [];
const rewrites = new rewrite.RewriteService(
  {
    catalog,
    clock,
    deks: new keys.CellDekFactory(registry),
    connection,
    leases: () => service.leases(),
    logger: {
      info: () => undefined,
      warn: ({ err }) => failures.push(String(err)),
      error: (fields, message) => failures.push(`${message} ${JSON.stringify(fields)}`),
    },
    owner: String(process.pid),
    step,
  },
  options,
);
await rewrites.begin(keyspace, name);
for (;;) {
  await rewrites.round();
  await rewrites.idle();
  const { records } = await catalog.readRecords();
  const isOpen = [...records.values()].some(
    ({ record }) =>
      record.keyspace === keyspace && record.name === name && record.rewrite !== undefined,
  );
  if (!isOpen || failures.length > 0) break;
  await new Promise((resolve) => setTimeout(resolve, 50));
}
await rewrites.stop();
await connection.close();
if (failures.length > 0) {
  process.stderr.write(failures.join('\n'));
  process.exit(1);
}
process.stdout.write(JSON.stringify(seen));
process.exit(0);
