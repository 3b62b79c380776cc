import { editText, parseStatement, quoteIdentifier } from '../../cql/index.ts';
import type { Statement } from '../../cql/index.ts';
import { ProxyError, SchemaError } from '../../errors/index.ts';
import { printType } from '../../values/index.ts';
import type { UdtType } from '../../values/index.ts';

/**
 * The CREATE TYPE that Cassandra prints, with the logical types of its fields.
 * @throws SchemaError if the text is not understood or its fields are not those of the type.
 */
export function logicalTypeStatement(text: string, udt: UdtType): string {
  const name = `${quoteIdentifier(udt.keyspace)}.${quoteIdentifier(udt.name)}`;
  let statement: Statement;
  try {
    statement = parseStatement(text).statement;
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
    throw new SchemaError('SCHEMA_DESCRIBE', `The description of ${name} is not understood`, {
      cause: error,
    });
  }
  if (statement.kind !== 'create_type') {
    throw new SchemaError('SCHEMA_DESCRIBE', `The description of ${name} is not understood`);
  }
  return editText(
    text,
    statement.fields.map((shown) => {
      const field = udt.fields.find((candidate) => candidate.name === shown.name.text);
      if (field === undefined) {
        throw new SchemaError(
          'SCHEMA_DESCRIBE',
          `Cassandra describes a field ${quoteIdentifier(shown.name.text)} that the type ${name} does not have`,
        );
      }
      return { span: shown.type.span, replacement: printType(field.type) };
    }),
  );
}
