import { describe, expect, it } from 'vitest';
import { resolveTypes } from '../../../src/schema/type_resolution.ts';

/** Types as Cassandra has them, without records: `name: field types`. */
function versionOf(types: Readonly<Record<string, readonly string[]>>, texts: string[]): string {
  const rows = Object.entries(types).map(([name, fieldTypes]) => ({
    keyspace: 'ks',
    name,
    fieldNames: fieldTypes.map((_, index) => `f${String(index)}`),
    fieldTypes,
  }));
  return resolveTypes('ks', rows, []).versionOf(texts);
}

describe('the version of the types that a table names', () => {
  const types = { street: ['text'], home: ['frozen<street>'], other: ['int'] };
  const columns = ['int', 'frozen<list<frozen<home>>>'];

  it('changes with a type of a column, and with one inside of it', () => {
    const before = versionOf(types, columns);
    expect(versionOf({ ...types, home: ['frozen<street>', 'int'] }, columns)).not.toBe(before);
    expect(versionOf({ ...types, street: ['text', 'text'] }, columns)).not.toBe(before);
  });

  it('stays when another type of the keyspace changes, comes or goes', () => {
    const before = versionOf(types, columns);
    const { other, ...without } = types;
    expect(versionOf({ ...types, other: [...other, 'text'] }, columns)).toBe(before);
    expect(versionOf(without, columns)).toBe(before);
    expect(versionOf({ ...types, more: ['int'] }, columns)).toBe(before);
    expect(versionOf(types, ['int'])).toBe('');
  });

  it('changes with a type whose name has quotes', () => {
    const texts = ['frozen<"a ""b"" c">'];
    const before = versionOf({ 'a "b" c': ['int'] }, texts);
    expect(before).not.toBe('');
    expect(versionOf({ 'a "b" c': ['text'] }, texts)).not.toBe(before);
  });
});
