import type { TypeName } from '../cql/index.ts';
import type { Snapshot } from '../schema/index.ts';
import { resolveTypeName } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';

/** Resolves a type as written in a statement. @throws InvalidRequestError for an unknown type. */
export type TypeResolver = (name: TypeName) => CqlType;

/** Resolves types of statements on `keyspace`. Plans keep it for long, so it must not keep the whole snapshot with it. */
export function typeResolver(snapshot: Snapshot, keyspace: string): TypeResolver {
  const types = snapshot.keyspace(keyspace)?.types;
  return (name) => resolveTypeName(name, { keyspace, udt: (udtName) => types?.get(udtName) });
}
