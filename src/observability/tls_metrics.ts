import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { METRIC_NAMES } from './metric_names.ts';
import type { Metrics } from './metrics_port.ts';

type TlsPart = Pick<
  Metrics,
  'setCertificateExpiry' | 'countCertificateFailure' | 'countTlsFailure' | 'countLogin'
>;

/** OpenSSL's codes come from what peers send; there are some dozens of them. */
const MAX_CODES = 50;

/** The metrics about certificates, handshakes and logins. */
export function tlsMetrics(registry: Registry): TlsPart {
  const registers = [registry];
  const expiry = new Gauge({ ...METRIC_NAMES.certificateExpiry, labelNames: ['use'], registers });
  const failures = new Counter({
    ...METRIC_NAMES.certificateFailures,
    labelNames: ['use'],
    registers,
  });
  const handshakes = new Counter({ ...METRIC_NAMES.tlsFailures, labelNames: ['code'], registers });
  const logins = new Counter({ ...METRIC_NAMES.logins, labelNames: ['result'], registers });
  const codes = new Set<string>();
  return {
    setCertificateExpiry: (use, notAfterMs) => {
      if (notAfterMs === undefined) expiry.remove({ use });
      else expiry.set({ use }, notAfterMs / 1_000);
    },
    countCertificateFailure: (use) => {
      failures.inc({ use });
    },
    countTlsFailure: (code) => {
      if (codes.size < MAX_CODES) codes.add(code);
      handshakes.inc({ code: codes.has(code) ? code : 'other' });
    },
    countLogin: (result) => {
      logins.inc({ result });
    },
  };
}
