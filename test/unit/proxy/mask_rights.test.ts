/** What a client may see of masked columns, by what its node answers: everything that is not a clear answer means masks. */
import { beforeEach, describe, expect, it } from 'vitest';
import { CqlErrorCode } from '../../../src/errors/index.ts';
import {
  MaskRights,
  maskSight,
  requireMasking,
  requireQueryMasked,
  requireUnmask,
} from '../../../src/proxy/mask_rights.ts';
import type { Session } from '../../../src/proxy/session.ts';
import type { TableEntry } from '../../../src/schema/index.ts';
import { native } from '../../../src/values/index.ts';
import {
  decodeQuery,
  encodeError,
  encodeVoidResult,
  Opcode,
  RowsWriter,
} from '../../../src/wire/index.ts';
import { encryptedTable } from '../../support/table_entry.ts';

const VERSION = 4;
type Answer = readonly [CqlErrorCode, string] | 'void' | readonly Buffer[];

const SETTING = 'setting';
const UNMASK = 'LIST UNMASK ON TABLE ks.t OF "Some Body"';
const SELECT_MASKED = 'LIST SELECT_MASKED ON TABLE ks.t OF "Some Body"';
const ROLES = 'LIST ROLES OF "Some Body"';
const READ = 'SELECT pk FROM ks.t LIMIT 1';
const ON = [Buffer.from('true')];
const OFF = [Buffer.from('false')];
const ONE = [Buffer.from('UNMASK')];
const NO_SUPERUSER = [Buffer.from([0]), Buffer.from([0])];
const DENIED = [CqlErrorCode.UNAUTHORIZED, 'denied'] as const;

let asked: string[];
let answers: Record<string, Answer>;
let nowMs: number;
const request = { onUpstreamMs: () => undefined };
const table: TableEntry = {
  ...encryptedTable(Buffer.alloc(16, 1), {} as never),
  partitionKey: [{ name: 'pk' }] as never,
};

beforeEach(() => {
  asked = [];
  answers = {
    [SETTING]: ON,
    [UNMASK]: 'void',
    [SELECT_MASKED]: 'void',
    [ROLES]: NO_SUPERUSER,
    [READ]: 'void',
  };
  nowMs = 0;
});

function envelope(query: string, answer: Answer) {
  const base = { version: 0x80 | VERSION, flags: 0, stream: 0 };
  if (answer === 'void') return { ...base, opcode: Opcode.RESULT, body: encodeVoidResult() };
  const [code, message] = answer;
  if (typeof code === 'number' && typeof message === 'string') {
    const body = encodeError({ code, message, extra: Buffer.alloc(0) });
    return { ...base, opcode: Opcode.ERROR, body };
  }
  const shown =
    query === SETTING ? 'value' : query.startsWith('LIST ROLES') ? 'super' : 'permission';
  const columns = ['role', shown].map((name) => ({
    keyspace: 'k',
    table: 't',
    name,
    type: native('blob'),
  }));
  const writer = new RowsWriter({ columns, pagingState: undefined }, VERSION);
  for (const cell of answer as readonly Buffer[]) {
    writer.writeCell(Buffer.from('x'));
    writer.writeCell(cell);
  }
  return { ...base, opcode: Opcode.RESULT, body: writer.finish() };
}

function nodeOf(isOwn: boolean) {
  return {
    node: 'n:9042',
    request: (_opcode: number, body: Buffer) => {
      const { query } = decodeQuery(body, VERSION);
      const isSetting = query.includes('system_views.settings');
      // The client's role may not read the settings.
      if (isSetting !== isOwn) throw new TypeError(`${query} by the wrong role`);
      const name = isSetting ? SETTING : query;
      asked.push(name);
      const answer = answers[name];
      if (answer === undefined) throw new TypeError(`not expected: ${query}`);
      return Promise.resolve(envelope(name, answer));
    },
  };
}

function session(): Session {
  return {
    version: VERSION,
    leases: { principal: 'name at the proxy' },
    rights: new MaskRights('Some Body'),
    node: nodeOf(false),
    services: { nowMs: () => nowMs, own: { to: () => Promise.resolve(nodeOf(true)) } },
  } as unknown as Session;
}

describe('what a role sees', () => {
  it.each<[string, Record<string, Answer>, 'clear' | 'unmasked' | undefined]>([
    ['masks without a permission', {}, undefined],
    ['values with UNMASK', { [UNMASK]: ONE }, 'clear'],
    [
      'values as superuser, also by another role',
      { [ROLES]: [...NO_SUPERUSER, Buffer.from([1])] },
      'clear',
    ],
    ['masks where Cassandra refuses to list', { [UNMASK]: DENIED, [ROLES]: DENIED }, undefined],
    [
      'masks where Cassandra fails',
      { [UNMASK]: [CqlErrorCode.SERVER_ERROR, 'x'], [ROLES]: DENIED },
      undefined,
    ],
    [
      'values where there are no permissions',
      {
        [UNMASK]: [
          CqlErrorCode.INVALID,
          'LIST PERMISSIONS operation is not supported by AllowAllAuthorizer',
        ],
      },
      'clear',
    ],
    [
      'values where nobody logs in',
      {
        [UNMASK]: [
          CqlErrorCode.UNAUTHORIZED,
          'You have to be logged in and not anonymous to perform this request',
        ],
      },
      'clear',
    ],
    ['values where masking is off', { [SETTING]: OFF }, 'unmasked'],
    ['masks where the setting is not to be read', { [SETTING]: DENIED }, undefined],
    ['masks where there is no such setting', { [SETTING]: [] }, undefined],
    ['masks where the setting is something else', { [SETTING]: [Buffer.from('no')] }, undefined],
    ['masks where there are two settings', { [SETTING]: [...OFF, ...OFF] }, undefined],
  ])('%s', async (_what, given, expected) => {
    Object.assign(answers, given);
    expect(await maskSight(session(), request, table)).toBe(expected);
  });

  it('is asked without a name where the role is not known, which superusers alone are answered', async () => {
    answers['LIST UNMASK ON TABLE ks.t'] = DENIED;
    const unknown = { ...session(), rights: new MaskRights(undefined) };
    expect(await maskSight(unknown, request, table)).toBe(undefined);
    answers['LIST UNMASK ON TABLE ks.t'] = ONE;
    expect(
      await maskSight({ ...session(), rights: new MaskRights(undefined) }, request, table),
    ).toBe('clear');
  });

  it('is asked again after two seconds, and at once after a failure', async () => {
    const client = session();
    for (nowMs of [0, 1999]) expect(await maskSight(client, request, table)).toBe(undefined);
    expect(asked).toEqual([SETTING, UNMASK, ROLES]);
    answers[UNMASK] = ONE;
    nowMs = 2000;
    expect(await maskSight(client, request, table)).toBe('clear');
    nowMs = 4000;
    answers = { ...answers, [UNMASK]: undefined as never };
    await expect(maskSight(client, request, table)).rejects.toThrow('not expected');
    answers[UNMASK] = 'void';
    expect(await maskSight(client, request, table)).toBe(undefined);
  });
});

describe('what is refused', () => {
  it('WHERE on masked columns, after Cassandra has judged the read itself', async () => {
    const asks = (columns: string[]): Promise<void> =>
      requireQueryMasked(session(), request, table, columns);
    await asks([]);
    expect(asked).toEqual([]);
    await expect(asks(['a', 'b'])).rejects.toMatchObject({
      cqlCode: CqlErrorCode.UNAUTHORIZED,
      message:
        'User Some Body has no UNMASK nor SELECT_MASKED permission on table ks.t, cannot query masked columns [a, b]',
    });
    answers[READ] = DENIED;
    await expect(asks(['a'])).rejects.toThrow('denied');
    answers[SELECT_MASKED] = ONE;
    await asks(['a']);
  });

  it('new masks unless masking is on', async () => {
    await requireMasking(session(), request);
    answers[SETTING] = OFF;
    await expect(requireMasking(session(), request)).rejects.toThrow(
      'Cannot mask columns because dynamic data masking is not enabled. You can enable it with the dynamic_data_masking_enabled property on cassandra.yaml',
    );
    answers[SETTING] = DENIED;
    await expect(requireMasking(session(), request)).rejects.toThrow(
      /GRANT SELECT ON system_views/,
    );
  });

  it('a restore of masked columns without UNMASK', async () => {
    await expect(requireUnmask(session(), request, table, true)).rejects.toThrow(/<table ks\.t>/);
    answers['LIST UNMASK ON ALL TABLES IN KEYSPACE ks OF "Some Body"'] = 'void';
    await expect(requireUnmask(session(), request, table, false)).rejects.toThrow(/<keyspace ks>/);
    answers['LIST UNMASK ON ALL TABLES IN KEYSPACE ks OF "Some Body"'] = ONE;
    await requireUnmask(session(), request, table, false);
  });
});
