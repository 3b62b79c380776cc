/** What the grammar lets a keyword stand for, besides being a keyword. */
export type KeywordClass =
  /** Never a name unless quoted. */
  | 'reserved'
  /** A native type: a name of columns, tables and functions, never of user types. */
  | 'native_type'
  /** A name everywhere. */
  | 'basic'
  /** A name of columns and tables, never of functions: `ttl`, `writetime`, `cast`, … */
  | 'special';

const RESERVED =
  'add allow alter and apply asc authorize batch begin by columnfamily create delete desc describe drop entries ' +
  'execute from full grant if in index infinity insert into is keyspace limit materialized modify nan norecursive ' +
  'not null of on or order primary rename revoke schema select set table to token truncate unlogged update use ' +
  'using view where with';

const NATIVE_TYPES =
  'ascii bigint blob boolean counter decimal double duration float inet int smallint text timestamp tinyint uuid ' +
  'varchar varint timeuuid date time';

const BASIC =
  'keys as cluster clustering compact storage tables columnfamilies type types values map list filtering permission ' +
  'permissions keyspaces all user users role roles identity superuser nosuperuser login nologin options password ' +
  'hashed exists custom trigger contains internals only static frozen tuple function functions aggregate aggregates ' +
  'sfunc stype finalfunc initcond returns language called input like per partition group datacenters cidrs access ' +
  'default mbean mbeans replace unset masked unmask select_masked vector ann';

const SPECIAL = 'ttl count writetime maxwritetime key cast json distinct';

const KEYWORDS: ReadonlyMap<string, KeywordClass> = new Map<string, KeywordClass>([
  ...entries(RESERVED, 'reserved'),
  ...entries(NATIVE_TYPES, 'native_type'),
  ...entries(BASIC, 'basic'),
  ...entries(SPECIAL, 'special'),
]);

function entries(words: string, keywordClass: KeywordClass): (readonly [string, KeywordClass])[] {
  return words.split(' ').map((word) => [word, keywordClass] as const);
}

/**
 * The class of a lower-case word, or `undefined` for a word that is no keyword at all (an IDENT of the grammar).
 *
 * Spec: Cassandra 5.0 Parser.g `unreserved_keyword`, `unreserved_function_keyword`, `basic_unreserved_keyword`, `native_type`.
 */
export function keywordClass(lowerCaseWord: string): KeywordClass | undefined {
  return KEYWORDS.get(lowerCaseWord);
}

/**
 * Whether a word (in any case) must be quoted to be a name.
 *
 * Spec: Cassandra 5.0 reserved_keywords.txt.
 */
export function isReservedKeyword(word: string): boolean {
  return KEYWORDS.get(word.toLowerCase()) === 'reserved';
}

/** Whether a lower-case word is the name of a native type, aliases (`varchar`) included. */
export function isNativeTypeName(lowerCaseWord: string): boolean {
  return KEYWORDS.get(lowerCaseWord) === 'native_type';
}
