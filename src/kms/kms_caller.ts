/** Who causes a call to a KMS, and for which table. For the audit log; it gives no rights. */
export interface KmsCaller {
  /** `client`: a request of a client connection. `background`: the proxy's own work. */
  readonly origin: 'client' | 'background';
  /** Role of the client as Cassandra accepted it, or `cqlock`. */
  readonly principal: string;
  /** Where the encryption context of the call does not name it. */
  readonly table?: { readonly keyspace: string; readonly name: string } | undefined;
}

/** Work of the proxy itself: start, renewal of leases, jobs. */
export const BACKGROUND_CALLER: KmsCaller = { origin: 'background', principal: 'cqlock' };

/** A client's role. */
export function clientCaller(principal: string): KmsCaller {
  return { origin: 'client', principal };
}
