import { InvalidRequestError } from '../../errors/index.ts';
import type { Relation } from '../../cql/index.ts';
import { UNSET } from '../../wire/index.ts';
import type { Columns } from './columns.ts';
import { boundOf, holds, notEqual } from './restriction.ts';
import type { Restriction } from './restriction.ts';
import { compileTerm } from './terms.ts';
import { partitionToken } from './token.ts';
import { TOKEN_TYPE } from './variables.ts';
import type { Variables } from './variables.ts';

/** Compiles a relation on token(). @throws InvalidRequestError with Cassandra's texts. */
export function compileToken(
  relation: Extract<Relation, { kind: 'token' }>,
  columns: Columns,
  variables: Variables,
): Restriction {
  if (relation.operator === '!=') throw notEqual('token(…) != ');
  const { operator } = relation;
  const used = relation.columns.map((name) => columns.get(name.text));
  const keys = columns.partition;
  if (used.length !== keys.length || keys.some((key) => !used.includes(key))) {
    throw new InvalidRequestError(
      'The token() function must be applied to all partition key components or none of them',
    );
  }
  if (used.some((column, position) => column !== keys[position])) {
    throw new InvalidRequestError(
      `The token function arguments must be in the partition key order: ${keys.map((k) => k.name).join(', ')}`,
    );
  }
  const spec = variables.spec('partition key token', TOKEN_TYPE);
  const term = compileTerm(relation.value, spec, variables);
  const indexes = keys.map((column) => columns.cellIndex(column));
  return {
    kind: 'token',
    columns: keys,
    bound: boundOf(operator),
    bind: (values) => {
      const value = term(values);
      if (value === null || value === UNSET) {
        throw new InvalidRequestError('Invalid null token value');
      }
      const wanted = Buffer.from(value).readBigInt64BE(0);
      return (row) => {
        const token = partitionToken(indexes.map((index) => row[index] ?? new Uint8Array(0)));
        return holds(operator, token < wanted ? -1 : token > wanted ? 1 : 0);
      };
    },
  };
}
