// The direction of imports. A folder may import itself and the folders of its line; from another folder only index.ts.
const MAY_IMPORT = {
  util: [],
  errors: ['util'],
  cql: ['errors', 'util'],
  values: ['cql', 'errors', 'util'],
  functions: ['values', 'cql', 'errors', 'util'],
  wire: ['values', 'errors', 'util'],
  crypto: ['errors', 'util'],
  config: ['errors', 'util'],
  observability: ['errors', 'util'],
  schema: ['values', 'cql', 'crypto', 'errors', 'util'],
  kms: ['crypto', 'errors', 'util'],
  audit: ['kms', 'crypto', 'errors', 'util'],
  kms_listener: ['kms', 'errors', 'util'],
  keys: ['kms', 'schema', 'crypto', 'observability', 'errors', 'util'],
  upstream: ['audit', 'schema', 'wire', 'values', 'observability', 'errors', 'util'],
  system: ['schema', 'cql', 'values', 'wire', 'errors', 'util'],
  encryption: ['functions', 'schema', 'keys', 'crypto', 'cql', 'values', 'wire', 'errors', 'util'],
  rotation: [
    'encryption',
    'upstream',
    'keys',
    'schema',
    'crypto',
    'observability',
    'errors',
    'util',
  ],
  rewrite: [
    'backup',
    'rotation',
    'encryption',
    'upstream',
    'keys',
    'schema',
    'crypto',
    'cql',
    'errors',
    'util',
  ],
  indexing: ['rotation', 'encryption', 'upstream', 'keys', 'schema', 'crypto', 'errors', 'util'],
  proxy: [
    'functions',
    'system',
    'encryption',
    'upstream',
    'schema',
    'keys',
    'crypto',
    'cql',
    'values',
    'wire',
    'observability',
    'errors',
    'util',
  ],
  auth: ['proxy', 'errors', 'util'],
  backup: [
    'system',
    'upstream',
    'encryption',
    'keys',
    'kms',
    'schema',
    'crypto',
    'cql',
    'errors',
    'util',
  ],
  lifecycle: ['schema', 'keys', 'kms', 'observability', 'errors', 'util'],
  notify: ['lifecycle', 'errors', 'util'],
  net: ['proxy', 'wire', 'observability', 'errors', 'util'],
};

// Types and tables of other folders' contracts that have no index.ts of their own to come through.
const CONTRACTS = 'src/values/cql_type\\.ts|src/cql/ast\\.ts';

const CORE = ['wire', 'cql', 'values', 'functions', 'crypto', 'encryption', 'schema', 'system'];
const IO =
  '^(node:)?(net|tls|dns|http|https|http2|fs|fs/promises|timers|timers/promises|child_process|worker_threads|dgram)$';

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Types that name each other are no cycle: nothing of them is left at run time.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'nothing-imports-app',
      severity: 'error',
      from: { path: '^src/(?!app/)' },
      to: { path: '^src/app/' },
    },
    {
      name: 'front-door-only',
      comment: 'From another folder only its index.ts.',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: { path: '^src/[^/]+/', pathNot: `^src/$1/|^src/[^/]+/index\\.ts$|^(${CONTRACTS})$` },
    },
    ...Object.entries(MAY_IMPORT).map(([folder, allowed]) => ({
      name: `${folder}-imports`,
      severity: 'error',
      from: { path: `^src/${folder}/` },
      to: { path: '^src/', pathNot: `^src/(${[folder, ...allowed].join('|')})/` },
    })),
    {
      name: 'no-io-in-the-core',
      severity: 'error',
      // Only isIP of node:net, which is a pure function.
      from: { path: `^src/(${CORE.join('|')})/`, pathNot: '^src/system/identity\\.ts$' },
      to: { path: IO },
    },
    {
      name: 'sockets-and-processes-in-few-places',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot:
          '^src/(net|auth|notify|kms|kms_listener|audit|upstream|backup|app|config)/|^src/system/identity\\.ts$',
      },
      to: { path: IO },
    },
    {
      name: 'no-development-packages',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], pathNot: '@types/' },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
