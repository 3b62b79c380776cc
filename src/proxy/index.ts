/**
 * Client connections: handshake, limits and back-pressure (client_connection.ts), and what becomes of a request
 * (run_request.ts → compile.ts → run_select.ts, run_write.ts, run_schema_change.ts, run_statement.ts).
 *
 * Each client connection has one connection of its own to a Cassandra node, so authentication, permissions, USE and
 * tracing stay Cassandra's. Bytes come and go through {@link Transport}; sockets are net's.
 *
 * May import: system, encryption, upstream, schema, keys, crypto (types, tokens), cql, values, wire, observability,
 * errors, util.
 */
export type { Authenticator, VerifiedClient } from './authenticator.ts';
export { CounterMemory } from './counter_memory.ts';
export { OwnConnections } from './own_connection.ts';
export { ProxyServer } from './proxy_server.ts';
export type { ProxyServerOptions } from './proxy_server.ts';
export type { RestoreTable, TableRestore } from './run_restore.ts';
export type { SharedServices } from './session.ts';
export { StatementCache } from './statement_cache.ts';
export { StoredStatements } from './stored_statements.ts';
export { TurnQueue } from './turn_queue.ts';
export type { ClientCertificate, Connector, Transport, TransportHandlers } from './transport.ts';
