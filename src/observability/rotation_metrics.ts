import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { METRIC_NAMES } from './metric_names.ts';
import type { Metrics } from './metrics_port.ts';

const TABLE_LABELS = ['keyspace', 'table'];

/** The metrics of rotation: a few series a table, set by rounds in the background. */
export function rotationMetrics(
  registry: Registry,
): Pick<
  Metrics,
  | 'setCellKey'
  | 'forgetCellKey'
  | 'addReencrypted'
  | 'setReencryption'
  | 'setRewrite'
  | 'addRotationFailure'
> {
  const registers = [registry];
  const labelNames = TABLE_LABELS;
  const cells = new Gauge({ ...METRIC_NAMES.cellKeyCells, labelNames, registers });
  const age = new Gauge({ ...METRIC_NAMES.cellKeyAge, labelNames, registers });
  const progress = new Gauge({ ...METRIC_NAMES.reencryptionProgress, labelNames, registers });
  const rewrite = new Gauge({ ...METRIC_NAMES.rewriteProgress, labelNames, registers });
  const rowsRead = new Counter({ ...METRIC_NAMES.reencryptedRows, registers });
  const cellsWritten = new Counter({ ...METRIC_NAMES.reencryptedCells, registers });
  const failures = new Counter({ ...METRIC_NAMES.rotationFailures, registers });
  return {
    setCellKey: (keyspace, table, count, ageMs) => {
      cells.set({ keyspace, table }, count);
      age.set({ keyspace, table }, ageMs / 1000);
    },
    forgetCellKey: (keyspace, table) => {
      cells.remove({ keyspace, table });
      age.remove({ keyspace, table });
    },
    addReencrypted: (rows, count) => {
      rowsRead.inc(rows);
      cellsWritten.inc(count);
    },
    setReencryption: (keyspace, table, fraction) => {
      if (fraction === undefined) progress.remove({ keyspace, table });
      else progress.set({ keyspace, table }, fraction);
    },
    setRewrite: (keyspace, table, fraction) => {
      if (fraction === undefined) rewrite.remove({ keyspace, table });
      else rewrite.set({ keyspace, table }, fraction);
    },
    addRotationFailure: () => {
      failures.inc();
    },
  };
}
