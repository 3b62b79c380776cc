import type { Metrics } from './metrics_port.ts';

const nothing = (): void => undefined;

/** Counts nothing; for tests and for parts used alone. */
export const noopMetrics: Metrics = {
  recordRequest: nothing,
  addCellsEncrypted: nothing,
  addCellsDecrypted: nothing,
  addLeases: nothing,
  recordKmsCall: nothing,
  addAuditEvent: nothing,
  addAuditFailure: nothing,
  addClientConnections: nothing,
  addBytes: nothing,
  setCellKey: nothing,
  forgetCellKey: nothing,
  addReencrypted: nothing,
  setReencryption: nothing,
  setRewrite: nothing,
  addRotationFailure: nothing,
  setTableAccess: nothing,
  countNotice: nothing,
  setKeyMonitorLeader: nothing,
  countKeyProbe: nothing,
  setCertificateExpiry: nothing,
  countCertificateFailure: nothing,
  countTlsFailure: nothing,
  countLogin: nothing,
  render: () => Promise.resolve(''),
  contentType: 'text/plain; version=0.0.4; charset=utf-8',
};
