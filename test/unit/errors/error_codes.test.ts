import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const FAMILIES =
  'CONFIG|PROTOCOL|STATEMENT|SCHEMA|METADATA|CIPHERTEXT|KEY|UPSTREAM|BACKUP|LOGIN|NOTICE|OVERLOAD';
const CODE = new RegExp(`(?:${FAMILIES})_[A-Z0-9_]*[A-Z0-9]|INTERNAL`, 'g');
/** The name of an event of the native protocol. */
const NO_CODES = new Set(['SCHEMA_CHANGE']);

/** Codes that are string literals somewhere in the sources. */
function codesInSource(): Set<string> {
  const codes = new Set<string>();
  const sources = join(ROOT, 'src');
  for (const name of readdirSync(sources, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const text = readFileSync(join(sources, name), 'utf8');
    for (const [, literal] of text.matchAll(/'([A-Z][A-Z0-9_]+)'/g)) {
      if (literal?.replace(CODE, '') === '' && !NO_CODES.has(literal)) codes.add(literal);
    }
  }
  return codes;
}

describe('docs/errors.md', () => {
  it('lists exactly the codes of the sources, each once', () => {
    const text = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8');
    const listed = text
      .split('\n')
      .filter((line) => line.startsWith('- '))
      .map((line) => line.slice(0, line.indexOf(':')))
      .flatMap((head) => [...head.matchAll(/`([^`]+)`/g)].map(([, code]) => code));
    expect(listed.length).toBeGreaterThan(50);
    expect([...listed].sort()).toEqual([...codesInSource()].sort());
  });
});
