/**
 * Listeners: the only place, with `app`, that opens sockets for others to connect to. HTTP for metrics and health.
 *
 * Imports proxy, wire, observability, errors and util.
 */
export { startHttpServer } from './http_server.ts';
export type { HttpServer, HttpServerOptions, Readiness } from './http_server.ts';
export { connectTo, listen, SocketTransport } from './socket_transport.ts';
export type { ByteCounter, Listener } from './socket_transport.ts';
