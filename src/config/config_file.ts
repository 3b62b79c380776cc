import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Document, Node, YAMLMap } from 'yaml';
import { ConfigError } from '../errors/index.ts';
import { FILE_KEYS, isPathSetting, LISTS, SECRETS } from './file_keys.ts';

/** What a configuration file says. */
export interface ConfigFile {
  /** As it was given. */
  readonly path: string;
  /** The settings by the name of their variable, as text. */
  readonly values: ReadonlyMap<string, string>;
  /** Line of each key that is in the file, and of each block, by its path such as `cassandra.tls`. */
  readonly lines: ReadonlyMap<string, number>;
  /** What is wrong with the file itself, each with its place. No message repeats a value. */
  readonly problems: readonly string[];
}

const NAMES = new Map(Object.entries(FILE_KEYS).map(([name, key]) => [key, name]));

/** Words for what a YAML parser finds, without the text it found it in, which may be a secret in the wrong place. */
const SYNTAX: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'the key is there twice: remove one of them',
  TAB_AS_INDENT: 'tabs cannot indent: use spaces',
  BAD_INDENT:
    'wrong indentation, or a bracket above that is not closed: keys of one block start in the same column',
  MISSING_CHAR: 'a quote, bracket or colon is missing here or on the line before',
  UNEXPECTED_TOKEN: 'something here is not YAML: quote the value, or correct the indentation',
  MULTIPLE_DOCS: 'the file must have one document: remove what follows ---',
  BLOCK_AS_IMPLICIT_KEY: 'a value follows a value: quote it, or correct the indentation',
};

/**
 * Reads a configuration file. Whether its settings are right is not judged here.
 * @throws ConfigError CONFIG_FILE when it cannot be read.
 */
export function readConfigFile(path: string, workingDir: string): ConfigFile {
  const absolute = resolve(workingDir, path);
  let text: string;
  try {
    text = readFileSync(absolute, 'utf8');
  } catch (cause) {
    throw new ConfigError(
      'CONFIG_FILE',
      `the configuration file ${path} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}): correct --config or CQLOCK_CONFIG, or its permissions`,
      { cause },
    );
  }
  return parseConfigFile(text, path, dirname(absolute));
}

/** Reads the text of a configuration file; relative paths in it start from `directory`. */
export function parseConfigFile(text: string, path: string, directory: string): ConfigFile {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, merge: false });
  const reading = new Reading(document, counter, path, directory);
  for (const error of document.errors) {
    const words = SYNTAX[error.code] ?? 'this is not YAML: correct it';
    reading.problem(counter.linePos(error.pos[0]).line, `${words} (${error.code})`);
  }
  if (reading.problems.length === 0 && document.contents !== null) {
    if (isMap(document.contents)) reading.block(document.contents, '');
    else reading.problem(1, 'the file must be settings in the form key: value');
  }
  return { path, values: reading.values, lines: reading.lines, problems: reading.problems };
}

class Reading {
  readonly values = new Map<string, string>();
  readonly lines = new Map<string, number>();
  readonly problems: string[] = [];
  readonly #document: Document;
  readonly #counter: LineCounter;
  readonly #path: string;
  readonly #directory: string;

  constructor(document: Document, counter: LineCounter, path: string, directory: string) {
    this.#document = document;
    this.#counter = counter;
    this.#path = path;
    this.#directory = directory;
  }

  problem(line: number, words: string): void {
    this.problems.push(`${this.#path}:${String(line)}: ${words}`);
  }

  block(map: YAMLMap<Node, Node | null>, prefix: string): void {
    for (const { key, value } of map.items) {
      const line = this.#counter.linePos(key.range?.[0] ?? 0).line;
      if (!isScalar(key) || typeof key.value !== 'string') {
        this.problem(line, 'a key must be a word');
        continue;
      }
      const path = prefix === '' ? key.value : `${prefix}.${key.value}`;
      const name = NAMES.get(path);
      const target = isAlias(value) ? value.resolve(this.#document) : value;
      if (name !== undefined) {
        this.lines.set(path, line);
        this.#value(name, path, target, line);
      } else if (childrenOf(path).length > 0) {
        this.lines.set(path, line);
        if (isMap(target)) this.block(target as YAMLMap<Node, Node | null>, path);
        else if (!isNothing(target)) {
          this.problem(line, `${path}: must be a block with ${childrenOf(path).join(', ')}`);
        }
      } else this.problem(line, unknownKey(path, prefix));
    }
  }

  #value(name: string, path: string, node: Node | null | undefined, line: number): void {
    if (isNothing(node)) return;
    if (isScalar(node)) {
      this.#set(name, textOf(node.value, node.source));
      return;
    }
    if (!isSeq(node) || !LISTS.includes(name)) {
      const form = LISTS.includes(name) ? 'one value or a list of values' : 'one value';
      this.problem(line, `${path}: must be ${form}`);
      return;
    }
    const items: string[] = [];
    for (const item of node.items) {
      if (!isScalar(item) || item.value === null) {
        this.problem(line, `${path}: every item of the list must be one value`);
        return;
      }
      items.push(textOf(item.value, item.source));
    }
    if (items.length > 0) this.#set(name, items.join(','));
  }

  #set(name: string, value: string): void {
    const isPath = value !== '' && isPathSetting(name, value);
    this.values.set(name, isPath ? resolve(this.#directory, value) : value);
  }
}

function isNothing(node: unknown): boolean {
  return node === null || node === undefined || (isScalar(node) && node.value === null);
}

/** Numbers and words as they are written, so that `1.20` stays what it is. */
function textOf(value: unknown, source: string | undefined): string {
  return typeof value === 'string' ? value : (source ?? String(value));
}

function childrenOf(path: string): string[] {
  const start = path === '' ? '' : `${path}.`;
  const below = [...NAMES.keys()].filter((key) => key.startsWith(start));
  return [...new Set(below.map((key) => key.slice(start.length).split('.', 1)[0] ?? ''))];
}

function unknownKey(path: string, prefix: string): string {
  const secret = SECRETS.find((name) => FILE_KEYS[`${name}_FILE`]?.replace(/_?file$/, '') === path);
  if (secret !== undefined) {
    const key = FILE_KEYS[`${secret}_FILE`] ?? '';
    return `${path}: secrets do not belong in this file: write it to a file and name that at ${key}, or set ${secret}`;
  }
  const where = prefix === '' ? 'at the top' : `in ${prefix}`;
  return `${path}: there is no such setting; ${where} there are ${childrenOf(prefix).join(', ')}`;
}
