// A process of its own that makes one schema change and kills itself at a step of it:
//   node crash_child.mjs '{"dist": "…", "directory": "…", "port": 1, "change": {…}, "at": "create.claim", "nth": 1}'
// With a step that never comes it ends by itself, prints the steps it went through, and was not killed.
import { join } from 'node:path';

const { dist, directory, port, change, at, nth, store: paths } = JSON.parse(process.argv[2]);
const load = (folder) => import(join(dist, folder, 'index.js'));
const [keys, kms, schema, upstream, util] = await Promise.all(
  ['keys', 'kms', 'schema', 'upstream', 'util'].map(load),
);

const seen = [];
let left = nth;
const step = (name) => {
  seen.push(name);
  if (name !== at) return;
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
};

const connection = new upstream.ControlConnection({
  contactPoints: [`127.0.0.1:${port}`],
  logger: { info: () => undefined, warn: () => undefined },
});
await connection.connect();
let isArmed = false;
const store = kms.KeyStore.open({
  path: paths?.keyStore ?? join(directory, 'keystore'),
  rootKey: kms.loadRootKey({ kind: 'file', path: paths?.rootKey ?? join(directory, 'root.key') }),
  step: (name) => {
    if (isArmed) step(name);
  },
});
const provider = new kms.EmbeddedKms({ store });
const source = new upstream.CassandraSchemaSource(connection, util.systemClock);
const catalog = await schema.Catalog.open({
  store: new upstream.CassandraRecordStore(connection),
  source,
  trust: new keys.StateDirectoryTrust(store, provider),
  clock: util.systemClock,
});
// Claims of long ago: those of a dead process may be taken over at once. A recovery comes after the change that it settles.
const agoMs = (change.kind === 'recover' ? 30 : 60) * 60_000;
const changes = schema.SchemaChanges.open({
  catalog,
  source,
  keys: new keys.KmsTableKeys(new kms.KmsRegistry(provider)),
  clock: { ...util.systemClock, nowMs: () => util.systemClock.nowMs() - agoMs },
  notices: { keyRefused: () => undefined },
  backups: { stillNeed: () => Promise.resolve(false) },
  onKeysReleased: () => Promise.resolve(),
  unusedColumnsMs: 0,
  step,
});
isArmed = true;

const run = (cql) => async () => {
  await connection.execute(cql, [], { prepare: false });
  return 'created';
};
const { kind, keyspace, name, stored } = change;
const table = () => catalog.snapshot().table(keyspace, name);
const target = `${keyspace}.${name}`;
const statements = {
  addColumn: (hidden) => run(`ALTER TABLE ${target} ADD ${hidden.name} ${hidden.type}`)(),
  dropColumns: (names) => run(`ALTER TABLE ${target} DROP (${names.join(', ')})`)(),
  create: (column) => run(`CREATE INDEX ${change.index.name} ON ${target} (${column})`)(),
  drop: () => run(`DROP INDEX ${keyspace}.${change.index?.name}`)(),
};
const RUNS = {
  createTable: () =>
    changes.createTable({ keyspace, name, columns: change.columns }, ({ tableId }) =>
      run(stored.replace('$ID', tableId))(),
    ),
  alterTable: () => changes.alterTable(table(), change.alter, run(stored)),
  changeKey: () => changes.changeTableKey(table(), change.choice),
  dropTable: () => changes.dropTable(table(), run(stored)),
  dropKeyspace: () => changes.dropKeyspace(keyspace, run(stored)),
  createType: () => changes.createType({ keyspace, name, fields: change.fields }, run(stored)),
  alterType: () => changes.alterType({ keyspace, name, edit: () => change.fields }, run(stored)),
  dropType: () => changes.dropType(keyspace, name, run(stored)),
  createIndex: () =>
    changes.createIndex(
      table(),
      { ...change.index, column: table().columns.get(change.column) },
      statements,
    ),
  dropIndex: () => changes.dropIndex(table(), statements),
  recover: () => changes.recover(),
};
try {
  await RUNS[kind]();
} catch (error) {
  seen.push(`error ${error.code ?? error.message}`);
}
await connection.close();
process.stdout.write(JSON.stringify(seen));
