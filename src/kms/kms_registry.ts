import { KeyAccessError } from '../errors/index.ts';
import { BACKGROUND_CALLER } from './kms_caller.ts';
import type { KmsCaller } from './kms_caller.ts';
import type { KmsProvider, ServiceKeyProvider } from './kms_provider.ts';

/** The configured key management services: the one of the service-owned keys, and those of customer managed keys. */
export class KmsRegistry {
  /** Holds the service-owned keys; also one of the providers. */
  readonly service: ServiceKeyProvider;
  readonly #providers: readonly KmsProvider[];
  readonly #caller: KmsCaller;

  readonly #first: string;

  /**
   * @param first name of the provider that is asked first whether it recognises an identifier; bare aliases are then its own
   * @param caller who causes the calls
   */
  constructor(
    service: ServiceKeyProvider,
    others: readonly KmsProvider[] = [],
    first: string = service.name,
    caller: KmsCaller = BACKGROUND_CALLER,
  ) {
    this.#caller = caller;
    this.#first = first;
    this.service = service;
    const all = [service, ...others];
    this.#providers = [
      ...all.filter((provider) => provider.name === first),
      ...all.filter((provider) => provider.name !== first),
    ];
  }

  /** The same services for calls that `caller` causes; without it they count as the proxy's own. */
  onBehalfOf(caller: KmsCaller): KmsRegistry {
    const others = this.#providers.filter((provider) => provider !== this.service);
    return new KmsRegistry(
      this.service.onBehalfOf?.(caller) ?? this.service,
      others.map((provider) => provider.onBehalfOf?.(caller) ?? provider),
      this.#first,
      caller,
    );
  }

  /** The same services and caller, for calls about one table. */
  onTable({ keyspace, name }: { readonly keyspace: string; readonly name: string }): KmsRegistry {
    return this.onBehalfOf({ ...this.#caller, table: { keyspace, name } });
  }

  /**
   * The provider that a record names.
   * @throws KeyAccessError KEY_NOT_FOUND when it is not configured.
   */
  named(name: string): KmsProvider {
    const provider = this.#providers.find((candidate) => candidate.name === name);
    if (provider !== undefined) return provider;
    throw new KeyAccessError('KEY_NOT_FOUND', `the KMS ${name} is not configured`);
  }

  /**
   * The provider whose keys a user's identifier (ARN, alias, URI) names.
   * @throws KeyAccessError KEY_NOT_FOUND when no configured provider takes it.
   */
  forIdentifier(identifier: string): KmsProvider {
    // An ARN says whose key it is, so the order of bare names does not matter; the own key store knows its own best.
    if (identifier.startsWith('arn:') && this.service.recognises(identifier)) return this.service;
    const provider = this.#providers.find((candidate) => candidate.recognises(identifier));
    if (provider !== undefined) return provider;
    throw new KeyAccessError(
      'KEY_NOT_FOUND',
      `no configured KMS knows keys of the form ${identifier}`,
    );
  }
}
