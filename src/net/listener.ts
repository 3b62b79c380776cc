import { constants } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Server as TlsServer, TLSSocket, TlsOptions } from 'node:tls';
import { ConfigError } from '../errors/index.ts';
import type { ClientCertificate, Transport } from '../proxy/index.ts';
import { clientCertificateOf } from './client_certificate.ts';
import { refuseClient } from './refuse_client.ts';
import { SocketTransport } from './socket_transport.ts';
import type { ByteCounter } from './socket_transport.ts';
import type { TlsMaterial, WatchedTls } from './tls_material.ts';

/** A listening port. */
export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Takes no new connections; those that are open stay. */
  close(): void;
}

/** How clients are listened to with TLS. */
export interface ListenerTls {
  /** optional: plain text on the same port too. */
  readonly mode: 'optional' | 'required';
  readonly clientCertificates: 'none' | 'optional' | 'required';
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly files: WatchedTls;
  readonly nowMs: () => number;
  /** A handshake failed; the peer's address and OpenSSL's code. */
  readonly onFailure: (peer: string, code: string) => void;
}

/** First byte of a TLS record with a handshake message. Spec: RFC 8446 5.1. */
const HANDSHAKE_RECORD = 0x16;
/** A connection that says nothing and a handshake that does not end are cut after this time. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Where clients are listened to, and how. */
export interface ListenOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls?: ListenerTls | undefined;
  /** Default {@link HANDSHAKE_TIMEOUT_MS}. */
  readonly handshakeTimeoutMs?: number;
}

/** Listens for clients. @throws ConfigError when the address is in use or not to be had. */
export function listen(
  options: ListenOptions,
  count: ByteCounter,
  accept: (transport: Transport) => void,
): Promise<Listener> {
  const { host, port, tls, handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS } = options;
  const acceptPlain = (socket: Socket): void => {
    accept(new SocketTransport(socket, count));
  };
  const secure = tls && tlsServer(tls, handshakeTimeoutMs, count, accept);
  const server =
    secure === undefined || tls === undefined
      ? createServer(acceptPlain)
      : tls.mode === 'required'
        ? secure
        : createServer((socket) => {
            byFirstByte(socket, handshakeTimeoutMs, acceptPlain, secure);
          });
  return new Promise((resolve, reject) => {
    // Also for what goes wrong with one connection later: the others must not end for it.
    server.on('error', (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === 'EADDRINUSE'
          ? 'the port is in use: stop what listens there or set CQLOCK_LISTEN to another port'
          : `it cannot be listened on (${error.code ?? 'unknown error'}): set CQLOCK_LISTEN`;
      reject(new ConfigError('CONFIG_LISTEN', `${host}:${String(port)}: ${reason}`));
    });
    server.listen({ host, port }, () => {
      resolve(listening(server));
    });
  });
}

function listening(server: Server): Listener {
  const address = server.address() as AddressInfo;
  return {
    host: address.address,
    port: address.port,
    close: () => {
      server.close();
    },
  };
}

function tlsServer(
  tls: ListenerTls,
  handshakeTimeout: number,
  count: ByteCounter,
  accept: (transport: Transport) => void,
): TlsServer {
  const context = (material: TlsMaterial): TlsOptions => ({
    ...(material.cert === undefined ? {} : { cert: material.cert }),
    ...(material.key === undefined ? {} : { key: material.key }),
    ...(material.ca === undefined ? {} : { ca: material.ca }),
    minVersion: tls.minVersion,
    // A client is judged once, by its first handshake.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  });
  const server = createTlsServer({
    ...context(tls.files.material),
    requestCert: tls.clientCertificates !== 'none',
    // Judged below: Node would close without a word.
    rejectUnauthorized: false,
    handshakeTimeout,
  });
  tls.files.onReplaced((material) => {
    server.setSecureContext(context(material));
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    const certificate = tls.clientCertificates === 'none' ? undefined : clientCertificateOf(socket);
    const refused = refusalOf(tls, certificate, socket);
    if (refused === undefined) {
      accept(new SocketTransport(socket, count, certificate));
      return;
    }
    tls.onFailure(peerOf(socket), refused);
    refuseClient(new SocketTransport(socket, count), refused);
  });
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    tls.onFailure(peerOf(socket), error.code ?? 'unknown error');
    // Node tells of a handshake that takes too long, and leaves the socket open.
    socket.destroy();
  });
  return server;
}

/** Why a client may not come in, by a code; undefined: it may. A session that is resumed is judged like a new one. */
function refusalOf(
  { clientCertificates, nowMs }: ListenerTls,
  certificate: ClientCertificate | undefined,
  socket: TLSSocket,
): string | undefined {
  // Without a certificate is one thing where it is optional; with one that nobody vouches for is another. Where there is
  // none, `authorized` says nothing: OpenSSL takes a resumed session for a verified one.
  if (certificate === undefined) {
    return clientCertificates === 'required' ? 'NO_CERTIFICATE' : undefined;
  }
  if (!socket.authorized) return String(socket.authorizationError);
  // OpenSSL keeps its judgement in a session: one that is resumed again and again would outlive the certificate.
  const notAfterMs = Date.parse(socket.getPeerX509Certificate()?.validTo ?? '');
  return nowMs() <= notAfterMs ? undefined : 'CERT_HAS_EXPIRED';
}

/** Gives a new connection to the TLS server or to the plain side by what it begins with. */
function byFirstByte(
  socket: Socket,
  timeoutMs: number,
  acceptPlain: (socket: Socket) => void,
  secure: TlsServer,
): void {
  const ignore = (): void => undefined;
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  socket.on('error', ignore);
  socket.once('close', () => {
    clearTimeout(timer);
  });
  socket.once('readable', () => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    clearTimeout(timer);
    socket.off('error', ignore);
    socket.unshift(chunk);
    if (chunk[0] === HANDSHAKE_RECORD) secure.emit('connection', socket);
    else acceptPlain(socket);
  });
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress ?? 'unknown'}:${String(socket.remotePort ?? 0)}`;
}
