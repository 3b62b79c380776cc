/** An audit trail in a temporary directory, with heads in memory. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuditTrail } from '../../../src/audit/index.ts';
import type { AuditEvent, AuditHead, AuditHeadStore } from '../../../src/audit/index.ts';
import { fakeClock } from '../../support/fake_clock.ts';
import type { FakeClock } from '../../support/fake_clock.ts';

export const AUDIT_KEY = Buffer.alloc(32, 0x0b);
export const CLUSTER = Buffer.alloc(16, 0x22);

/** A use of a key. */
export function event(changes: Partial<AuditEvent> = {}): AuditEvent {
  return {
    operation: 'Decrypt',
    key: 'arn:cqlock:kms:local:s:key/1',
    target_key: null,
    provider: 'embedded',
    context: { 'cqlock:keyspace': 'shop', 'cqlock:table': 'orders' },
    keyspace: 'shop',
    table: 'orders',
    origin: 'client',
    principal: 'alice',
    result: 'ok',
    error: null,
    duration_ms: 1.5,
    ...changes,
  };
}

/** Heads in memory. */
export class MemoryHeads implements AuditHeadStore {
  readonly heads = new Map<string, AuditHead>();

  async prepare(): Promise<void> {}

  async put(_clusterId: Uint8Array, head: AuditHead): Promise<void> {
    this.heads.set(head.processId, head);
  }

  async list(): Promise<readonly AuditHead[]> {
    return [...this.heads.values()];
  }
}

/** What belongs to one trail. */
export interface TrailEnvironment {
  readonly directory: string;
  readonly clock: FakeClock;
  readonly heads: MemoryHeads;
  readonly logged: {
    readonly fields: Readonly<Record<string, unknown>>;
    readonly message: string;
  }[];
  readonly counted: { events: number; failures: number };
  readonly trail: AuditTrail;
  /** Begins the chain. */
  begin(): Promise<void>;
}

/** A trail that has not begun. */
export function newTrail(
  options: {
    directory?: string;
    required?: boolean;
    heads?: MemoryHeads;
  } = {},
): TrailEnvironment {
  const directory =
    options.directory ?? join(mkdtempSync(join(tmpdir(), 'cqlock-audit-')), 'audit');
  const clock = fakeClock();
  clock.advance(Date.UTC(2026, 0, 31, 12) - clock.nowMs());
  const heads = options.heads ?? new MemoryHeads();
  const logged: TrailEnvironment['logged'] = [];
  const counted = { events: 0, failures: 0 };
  const log = (fields: Readonly<Record<string, unknown>>, message: string): void => {
    logged.push({ fields, message });
  };
  const trail = new AuditTrail({
    directory,
    required: options.required ?? true,
    clock,
    logger: { warn: log, error: log },
    metrics: {
      addAuditEvent: () => {
        counted.events += 1;
      },
      addAuditFailure: () => {
        counted.failures += 1;
      },
    },
  });
  return {
    directory,
    clock,
    heads,
    logged,
    counted,
    trail,
    begin: () => trail.begin({ auditKey: Buffer.from(AUDIT_KEY), clusterId: CLUSTER, heads }),
  };
}

/** Lets what is ready run, also what waits for the disk. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
}
