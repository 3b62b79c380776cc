import type { TypeName } from '../cql/index.ts';
import type { Snapshot } from '../schema/index.ts';
import { resolveTypeName } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';

/** Resolves a type as written in a statement. @throws InvalidRequestError for an unknown type. */
export type TypeResolver = (name: TypeName) => CqlType;

/** Resolves types of statements on `keyspace`. */
export function typeResolver(snapshot: Snapshot, keyspace: string): TypeResolver {
  return (name) =>
    resolveTypeName(name, { keyspace, udt: (udtName) => snapshot.udt(keyspace, udtName) });
}
