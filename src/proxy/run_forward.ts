import { Opcode } from '../wire/index.ts';
import type { Compiled } from './compile.ts';
import { forwarded } from './reply.ts';
import type { Reply } from './reply.ts';
import { StalePlanError } from './stale_plan.ts';
import type { RequestContext, Session } from './session.ts';
import { execute } from './stored_statements.ts';
import type { StoredPrepared } from './stored_statements.ts';

const ATTEMPTS = 3;

/** Passes a read that needs no decryption on as the client wrote it. */
export async function forwardQuery(
  session: Session,
  request: RequestContext,
  compiled: Extract<Compiled, { kind: 'forward' }>,
  execution: { readonly text: string; readonly body: Buffer | undefined },
): Promise<Reply> {
  const started = performance.now();
  try {
    if (execution.body !== undefined) {
      return forwarded(await session.node.request(Opcode.QUERY, execution.body, request.flags));
    }
    const { keyspace } = compiled;
    for (let attempt = 1; ; attempt++) {
      const prepared = await preparedForward(session, keyspace, execution.text);
      const { options } = request;
      const answer = await execute(
        session.node,
        session.version,
        prepared,
        { ...options, skipMetadata: false },
        request.flags,
      );
      if (answer !== 'unprepared') return forwarded(answer);
      session.services.stored.forget(session.node, forwardVersion(keyspace), execution.text);
      if (attempt === ATTEMPTS) throw new StalePlanError();
    }
  } finally {
    request.onUpstreamMs(performance.now() - started);
  }
}

/** Prepares a forwarded read on Cassandra, where its unqualified names mean the keyspace of USE. */
export async function preparedForward(
  session: Session,
  keyspace: string | undefined,
  text: string,
): Promise<StoredPrepared> {
  return session.services.stored.prepared(
    session.node,
    session.version,
    forwardVersion(keyspace),
    text,
  );
}

function forwardVersion(keyspace: string | undefined): string {
  return `forward:${keyspace ?? ''}`;
}
