import jsdoc from 'eslint-plugin-jsdoc';
import tseslint from 'typescript-eslint';

const NO_DEFAULT_EXPORT = {
  selector: 'ExportDefaultDeclaration',
  message: 'Named exports only, through the index.ts of the folder.',
};
const NO_GENERIC_ERROR = {
  selector: 'ThrowStatement > NewExpression[callee.name="Error"]',
  message: 'Throw a class of src/errors: every error has a code.',
};
const NO_MATH_RANDOM = {
  selector: 'MemberExpression[object.name="Math"][property.name="random"]',
  message: 'Math.random is for nothing here; random bytes come from node:crypto.',
};
const NO_ENUM = { selector: 'TSEnumDeclaration', message: 'An object with `as const`.' };

const CORE = ['wire', 'cql', 'values', 'crypto', 'encryption', 'schema', 'system'];

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.cache/', 'data/', 'coverage/', 'bench-results/'] },
  {
    files: ['src/**/*.ts', 'test/**/*.ts', 'grafana/**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'max-lines': ['error', 500],
      'no-restricted-syntax': ['error', NO_DEFAULT_EXPORT, NO_MATH_RANDOM, NO_ENUM],
      eqeqeq: 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', destructuredArrayIgnorePattern: '^_' },
      ],
      // The driver's type codes come as numbers from the wire.
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
      // Numbers print the same everywhere.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // A union of constants tells the reader more than `string` beside it takes away.
      '@typescript-eslint/no-redundant-type-constituents': 'off',
      // `arr[i] as number` is the form of byte loops under noUncheckedIndexedAccess; `!` is not.
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      '@typescript-eslint/no-non-null-assertion': 'error',
      // Fits neither callbacks that are given as one expression nor ports with methods that do nothing.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      // Interfaces of many implementations are async where some implementations are not.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/prefer-for-of': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/class-literal-property-style': 'off',
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: true }],
    },
  },
  {
    files: ['src/**/*.ts'],
    plugins: { jsdoc },
    rules: {
      'no-console': 'error',
      'no-restricted-syntax': [
        'error',
        NO_DEFAULT_EXPORT,
        NO_GENERIC_ERROR,
        NO_MATH_RANDOM,
        NO_ENUM,
      ],
      'jsdoc/require-jsdoc': [
        'error',
        {
          publicOnly: { ancestorsOnly: true, esm: true },
          require: { ClassDeclaration: true, FunctionDeclaration: true, MethodDefinition: false },
          contexts: [
            'ExportNamedDeclaration > VariableDeclaration',
            'ExportNamedDeclaration > TSInterfaceDeclaration',
            'ExportNamedDeclaration > TSTypeAliasDeclaration',
          ],
          checkConstructors: false,
          checkGetters: false,
          enableFixer: false,
        },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/app/**', 'src/config/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Settings come from src/config.' },
        { object: 'process', property: 'argv', message: 'Arguments come from src/app.' },
        { object: 'process', property: 'exit', message: 'Only src/app ends the process.' },
      ],
    },
  },
  {
    files: CORE.map((folder) => `src/${folder}/**/*.ts`),
    rules: {
      'no-restricted-globals': [
        'error',
        ...['process', 'setTimeout', 'setInterval', 'setImmediate', 'fetch', 'performance'].map(
          (name) => ({ name, message: 'The core does no I/O and reads no clock.' }),
        ),
      ],
    },
  },
  { files: ['**/*.d.ts'], rules: { 'jsdoc/require-jsdoc': 'off' } },
  // One union that is read as a whole.
  { files: ['src/cql/ast.ts'], rules: { 'max-lines': 'off' } },
  {
    // A codec is an object of plain functions.
    files: ['src/values/**/*.ts', 'src/wire/**/*.ts'],
    rules: { '@typescript-eslint/unbound-method': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/only-throw-error': 'off',
      // What beforeAll sets is declared as set, and is not where it failed.
      '@typescript-eslint/no-unnecessary-condition': 'off',
    },
  },
  {
    files: ['tools/**/*.mjs', 'test/**/*.mjs'],
    languageOptions: { ecmaVersion: 2023, sourceType: 'module' },
    rules: {
      'no-unused-vars': 'error',
      'no-restricted-syntax': ['error', NO_DEFAULT_EXPORT, NO_MATH_RANDOM],
    },
  },
);
