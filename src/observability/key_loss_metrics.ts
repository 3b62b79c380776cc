import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { METRIC_NAMES } from './metric_names.ts';
import type { Metrics, TableAccess } from './metrics_port.ts';

/** Tables with a series of their own: those that are dropped first. */
const MAX_TABLES = 100;

type KeyLossPart = Pick<
  Metrics,
  'setTableAccess' | 'countNotice' | 'setKeyMonitorLeader' | 'countKeyProbe'
>;

/** The metrics about lost keys. They change rarely, so they are kept in the registry's own form. */
export function keyLossMetrics(registry: Registry): KeyLossPart {
  const registers = [registry];
  let read: () => readonly TableAccess[] = () => [];
  const leader = new Gauge({ ...METRIC_NAMES.keyMonitorLeader, registers });
  const notices = new Counter({
    ...METRIC_NAMES.notices,
    labelNames: ['event', 'channel', 'result'],
    registers,
  });
  const probes = new Counter({ ...METRIC_NAMES.keyProbes, labelNames: ['result'], registers });
  const states: Gauge = new Gauge({
    ...METRIC_NAMES.tablesByAccess,
    labelNames: ['state'],
    registers,
    collect: () => {
      states.reset();
      for (const { state } of read()) states.inc({ state });
    },
  });
  const byTable = (
    metric: { readonly name: string; readonly help: string },
    value: (table: TableAccess) => number | undefined,
  ): void => {
    const gauge: Gauge = new Gauge({
      ...metric,
      labelNames: ['keyspace', 'table'],
      registers,
      collect: () => {
        gauge.reset();
        for (const table of firstToDrop(read())) {
          const seconds = value(table);
          if (seconds !== undefined) {
            gauge.set({ keyspace: table.keyspace, table: table.table }, seconds);
          }
        }
      },
    });
  };
  byTable(METRIC_NAMES.inaccessibleSeconds, (table) => table.inaccessibleSeconds);
  byTable(METRIC_NAMES.secondsUntilDrop, (table) => table.secondsUntilDrop);
  return {
    setTableAccess: (source) => {
      read = source;
    },
    countNotice: (event, channel, result) => {
      notices.inc({ event, channel, result });
    },
    setKeyMonitorLeader: (isLeader) => {
      leader.set(isLeader ? 1 : 0);
    },
    countKeyProbe: (result) => {
      probes.inc({ result });
    },
  };
}

function firstToDrop(tables: readonly TableAccess[]): readonly TableAccess[] {
  return tables
    .filter((table) => table.secondsUntilDrop !== undefined)
    .sort((a, b) => (a.secondsUntilDrop ?? 0) - (b.secondsUntilDrop ?? 0))
    .slice(0, MAX_TABLES);
}
