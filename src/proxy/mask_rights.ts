import { quoteIdentifier } from '../cql/index.ts';
import type { MaskSight } from '../encryption/index.ts';
import { CqlErrorCode, InvalidRequestError } from '../errors/index.ts';
import type { TableEntry } from '../schema/index.ts';
import { Consistency } from '../wire/index.ts';
import { ask, readOptions } from './ask.ts';
import { fromCassandra } from './cassandra_answer.ts';
import { qualified } from './compile.ts';
import { CassandraError } from './reply.ts';
import type { RequestContext, Session } from './session.ts';

/** As long as Cassandra itself takes its permissions to hold (permissions_validity, by default). */
const VALID_MS = 2_000;
const OPTIONS = readOptions(Consistency.LOCAL_ONE);
const SETTING = 'dynamic_data_masking_enabled';

/** Cassandra's words where everybody may do everything. Spec: AllowAllAuthorizer, ClientState.ensureNotAnonymous of 5.0. */
const NO_AUTHORIZER = 'LIST PERMISSIONS operation is not supported by AllowAllAuthorizer';
const ANONYMOUS = 'You have to be logged in and not anonymous to perform this request';

type TableName = Pick<TableEntry, 'keyspace' | 'name'>;
type Permission = 'UNMASK' | 'SELECT_MASKED';
type Measured = Pick<RequestContext, 'onUpstreamMs'>;

/** What a connection was told of its role's rights on masked columns; asked again every two seconds. */
export class MaskRights {
  /** The role it is logged in with in Cassandra; `undefined` where that is not known. */
  readonly role: string | undefined;
  readonly #answers = new Map<
    string,
    { readonly untilMs: number; readonly answer: Promise<boolean | undefined> }
  >();

  constructor(role: string | undefined) {
    this.role = role;
  }

  /** The last answer to a question, or a new one. An answer that failed is not kept. */
  answer(
    nowMs: number,
    question: string,
    find: () => Promise<boolean | undefined>,
  ): Promise<boolean | undefined> {
    const known = this.#answers.get(question);
    if (known !== undefined && known.untilMs > nowMs) return known.answer;
    for (const [old, { untilMs }] of this.#answers) {
      if (untilMs <= nowMs) this.#answers.delete(old);
    }
    const answer = find();
    this.#answers.set(question, { untilMs: nowMs + VALID_MS, answer });
    answer.catch(() => {
      if (this.#answers.get(question)?.answer === answer) this.#answers.delete(question);
    });
    return answer;
  }
}

/**
 * What the client may see of the masked columns of a table or view.
 * @returns undefined: their masks, also where Cassandra gives no clear answer
 */
export async function maskSight(
  session: Session,
  request: Measured,
  table: TableEntry,
): Promise<MaskSight | undefined> {
  if ((await isMaskingEnabled(session, request)) === false) return 'unmasked';
  return (await hasPermission(session, request, 'UNMASK', table)) ? 'clear' : undefined;
}

/** @throws InvalidRequestError 0x2100 in Cassandra's words when the client may not ask for values of masked columns. */
export async function requireQueryMasked(
  session: Session,
  request: Measured,
  table: TableEntry,
  columns: readonly string[],
): Promise<void> {
  if (columns.length === 0) return;
  if (await hasPermission(session, request, 'UNMASK', table)) return;
  if (await hasPermission(session, request, 'SELECT_MASKED', table)) return;
  // Whether the client may read the table at all Cassandra says first.
  const [key] = table.partitionKey;
  const name = quoteIdentifier(key?.storedName ?? key?.name ?? '');
  await ask(
    session,
    `SELECT ${name} FROM ${qualified(table.keyspace, table.name)} LIMIT 1`,
    OPTIONS,
    request,
  );
  throw new InvalidRequestError(
    `User ${userOf(session)} has no UNMASK nor SELECT_MASKED permission on table ${table.keyspace}.${table.name}, cannot query masked columns [${columns.join(', ')}]`,
    CqlErrorCode.UNAUTHORIZED,
  );
}

/**
 * @param isThere false for a table that is gone: the permission on its keyspace counts
 * @throws InvalidRequestError 0x2100 when the client may not read the masked columns of a table in clear
 */
export async function requireUnmask(
  session: Session,
  request: Measured,
  table: TableName,
  isThere: boolean,
): Promise<void> {
  const { keyspace, name } = table;
  const resource = isThere
    ? `TABLE ${qualified(table.keyspace, table.name)}`
    : `ALL TABLES IN KEYSPACE ${quoteIdentifier(keyspace)}`;
  if (await hasPermissionOn(session, request, 'UNMASK', resource)) return;
  throw new InvalidRequestError(
    `User ${userOf(session)} has no UNMASK permission on <${isThere ? `table ${keyspace}.${name}` : `keyspace ${keyspace}`}> or any of its parents, which RESTORE TABLE needs, as columns of ${keyspace}.${name} are masked`,
    CqlErrorCode.UNAUTHORIZED,
  );
}

function userOf({ rights, leases }: Session): string {
  return rights.role ?? leases.principal;
}

/** @throws InvalidRequestError in Cassandra's words unless masks may be made. Spec: ColumnMask.ensureEnabled */
export async function requireMasking(session: Session, request: Measured): Promise<void> {
  const isEnabled = await isMaskingEnabled(session, request);
  if (isEnabled === true) return;
  throw new InvalidRequestError(
    isEnabled === false
      ? `Cannot mask columns because dynamic data masking is not enabled. You can enable it with the ${SETTING} property on cassandra.yaml`
      : `Cannot mask columns because the proxy cannot read ${SETTING} in system_views.settings; GRANT SELECT ON system_views.settings to its role`,
  );
}

/** The setting of the client's node, as the proxy's own role reads it; undefined where it may not, or there is no such setting. */
function isMaskingEnabled(session: Session, request: Measured): Promise<boolean | undefined> {
  const { rights, services, node, version } = session;
  return rights.answer(services.nowMs(), SETTING, async () => {
    const own = { ...session, node: await services.own.to(node.node, version) };
    const text = `SELECT value FROM system_views.settings WHERE name = '${SETTING}'`;
    const rows = await listed(own, request, text, 'value');
    if (!Array.isArray(rows) || rows.length !== 1) return undefined;
    const shown = Buffer.from(rows[0] ?? []).toString('utf8');
    return shown === 'true' || (shown === 'false' ? false : undefined);
  });
}

function hasPermission(
  session: Session,
  request: Measured,
  permission: Permission,
  table: TableName,
): Promise<boolean> {
  return hasPermissionOn(
    session,
    request,
    permission,
    `TABLE ${qualified(table.keyspace, table.name)}`,
  );
}

/** Whether Cassandra gives the client's role a permission: it is listed, or the role is a superuser, which has all. */
async function hasPermissionOn(
  session: Session,
  request: Measured,
  permission: Permission,
  resource: string,
): Promise<boolean> {
  const { rights, services } = session;
  const { role } = rights;
  // Without OF only superusers are answered.
  const of = role === undefined ? '' : ` OF ${quoteIdentifier(role)}`;
  const isListed = await rights.answer(services.nowMs(), `${permission} ${resource}`, async () => {
    const text = `LIST ${permission} ON ${resource}${of}`;
    const rows = await listed(session, request, text, 'permission');
    return rows === 'all' || (rows !== undefined && rows.length > 0);
  });
  if (isListed === true || role === undefined) return isListed === true;
  const isSuperuser = await rights.answer(services.nowMs(), 'SUPERUSER', async () => {
    const rows = await listed(session, request, `LIST ROLES${of}`, 'super');
    return Array.isArray(rows) && rows.some((cell) => cell?.[0] === 1);
  });
  return isSuperuser === true;
}

/**
 * The cells of one column of an answer.
 * @returns `all` where Cassandra has no permissions, so that every role has all; undefined when it refuses to answer
 */
async function listed(
  session: Session,
  request: Measured,
  text: string,
  column: string,
): Promise<(Uint8Array | null)[] | 'all' | undefined> {
  try {
    const { result } = await ask(session, text, OPTIONS, request);
    if (result.kind !== 'rows') return [];
    const { metadata, rowCount, rows } = result;
    const at = metadata.columns?.findIndex(({ name }) => name === column) ?? -1;
    if (at < 0) return undefined;
    return fromCassandra(() =>
      Array.from({ length: rowCount }, () => {
        const row = Array.from({ length: metadata.columnCount }, () => rows.readBytes());
        return row[at] ?? null;
      }),
    );
  } catch (error) {
    if (!(error instanceof CassandraError)) throw error;
    const { cqlCode, message } = error;
    const isFree =
      (cqlCode === CqlErrorCode.INVALID && message === NO_AUTHORIZER) ||
      (cqlCode === CqlErrorCode.UNAUTHORIZED && message === ANONYMOUS);
    return isFree ? 'all' : undefined;
  }
}
