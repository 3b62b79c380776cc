/**
 * Listeners: the only place, with `app`, that opens sockets for others to connect to. HTTP for metrics and health.
 *
 * Imports proxy, wire, observability, errors and util.
 */
export { startHttpServer } from './http_server.ts';
export type { HttpServer, HttpServerOptions, Readiness } from './http_server.ts';
export { listen } from './listener.ts';
export type { Listener, ListenerTls } from './listener.ts';
export { connectTo, SocketTransport } from './socket_transport.ts';
export type { ByteCounter } from './socket_transport.ts';
export { readTlsFiles, WatchedTls } from './tls_material.ts';
export type { TlsFiles, TlsMaterial, TlsWatcher } from './tls_material.ts';
export { upstreamTlsOptions } from './upstream_tls.ts';
