import { editText } from '../cql/index.ts';
import { encodeQuery, Opcode } from '../wire/index.ts';
import type { Envelope } from '../wire/index.ts';
import type { Compiled } from './compile.ts';
import { usableTable } from './fresh_catalog.ts';
import { forwarded } from './reply.ts';
import type { Reply } from './reply.ts';
import { executeRead } from './run_stored.ts';
import { StalePlanError } from './stale_plan.ts';
import type { RequestContext, Session } from './session.ts';
import { execute, PREPARE_ATTEMPTS } from './stored_statements.ts';
import type { StoredPrepared } from './stored_statements.ts';

/** A read that Cassandra answers from its own text. */
type Forward = Extract<Compiled, { kind: 'forward' }>;

/** In the place of a table's version: system tables do not change. */
const SYSTEM_VERSION = 'system';

/**
 * Passes a read that needs no decryption on as the client wrote it, but for the keyspace of its table.
 * @throws StalePlanError when a plain table is not what it was: then its name may be that of an encrypted one.
 */
export async function forwardQuery(
  session: Session,
  request: RequestContext,
  compiled: Forward,
  execution: { readonly text: string; readonly body: Buffer | undefined },
): Promise<Reply> {
  const text = editText(execution.text, compiled.edits);
  const { table } = compiled;
  if (execution.body === undefined) {
    if (table === undefined) return forwarded(await executeSystem(session, request, text));
    const options = { ...request.options, skipMetadata: false };
    return forwarded(await executeRead(session, request, table, text, options, request.flags));
  }
  const old = table && usableTable(session, table);
  if (old !== undefined) await old;
  const started = performance.now();
  try {
    const body =
      compiled.edits.length === 0
        ? execution.body
        : encodeQuery(text, request.options, session.version);
    return forwarded(await session.node.request(Opcode.QUERY, body, request.flags));
  } finally {
    request.onUpstreamMs(performance.now() - started);
  }
}

/**
 * Executes a read of a system table on the client's connection.
 * @param isExpected whether a prepared form is what the caller planned with; it may be of before
 * @throws StalePlanError when it stays another one
 */
export async function executeSystem(
  session: Session,
  request: Pick<RequestContext, 'options' | 'flags' | 'onUpstreamMs'>,
  text: string,
  isExpected?: (prepared: StoredPrepared) => boolean,
): Promise<Envelope> {
  const { node, version, services } = session;
  const started = performance.now();
  try {
    for (let attempt = 1; ; attempt++) {
      const prepared = await services.stored.prepared(node, version, SYSTEM_VERSION, text);
      if (isExpected?.(prepared) !== false) {
        const options = { ...request.options, skipMetadata: false };
        const answer = await execute(node, version, prepared, options, request.flags);
        if (answer !== 'unprepared') return answer;
      }
      services.stored.forget(node, SYSTEM_VERSION, text);
      if (attempt === PREPARE_ATTEMPTS) throw new StalePlanError();
    }
  } finally {
    request.onUpstreamMs(performance.now() - started);
  }
}

/** Prepares a forwarded read on Cassandra. */
export async function preparedForward(
  { services, node, version }: Session,
  { edits, table }: Forward,
  text: string,
): Promise<StoredPrepared> {
  return services.stored.prepared(
    node,
    version,
    table?.version ?? SYSTEM_VERSION,
    editText(text, edits),
  );
}
