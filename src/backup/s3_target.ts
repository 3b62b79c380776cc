import type * as S3Sdk from '@aws-sdk/client-s3';
import { BackupError } from '../errors/index.ts';
import type { BackupTarget } from './target.ts';

/** A place in a bucket. Region, credentials and endpoint come from where the AWS SDK looks for them. */
export interface S3Location {
  readonly bucket: string;
  /** Without `/` at either end; empty for the whole bucket. */
  readonly prefix: string;
  /** Bucket in the path instead of the host name, as most servers that are not AWS want it. */
  readonly usesPathStyle: boolean;
}

interface Opened {
  readonly client: S3Sdk.S3Client;
  readonly sdk: typeof S3Sdk;
}

/**
 * Backups in an S3 bucket. A PUT stores an object whole or not at all, with a checksum that the service verifies. Objects are
 * bounded (a chunk and one row), far below the size that would need several parts.
 */
export class S3Target implements BackupTarget {
  readonly description: string;
  readonly #location: S3Location;
  #opened: Promise<Opened> | undefined;

  constructor(location: S3Location) {
    this.#location = location;
    this.description = `s3://${location.bucket}${location.prefix === '' ? '' : `/${location.prefix}`}`;
  }

  /** See {@link BackupTarget.put}. */
  async put(name: string, bytes: Uint8Array): Promise<void> {
    await this.#doing(`write ${name} to`, async ({ client, sdk }) => {
      await client.send(
        new sdk.PutObjectCommand({
          Bucket: this.#location.bucket,
          Key: this.#key(name),
          Body: bytes,
          ContentType: 'application/octet-stream',
        }),
      );
    });
  }

  /** See {@link BackupTarget.get}. */
  async get(name: string): Promise<Buffer | undefined> {
    return await this.#doing(`read ${name} from`, async ({ client, sdk }) => {
      try {
        const answer = await client.send(
          new sdk.GetObjectCommand({ Bucket: this.#location.bucket, Key: this.#key(name) }),
        );
        const bytes = await answer.Body?.transformToByteArray();
        return bytes === undefined
          ? undefined
          : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      } catch (error) {
        if (error instanceof sdk.NoSuchKey) return undefined;
        throw error;
      }
    });
  }

  /** See {@link BackupTarget.list}. */
  async list(prefix: string): Promise<readonly string[]> {
    return await this.#doing('list', async ({ client, sdk }) => {
      const names: string[] = [];
      const start = this.#key('');
      const pages = sdk.paginateListObjectsV2(
        { client },
        { Bucket: this.#location.bucket, Prefix: this.#key(prefix) },
      );
      for await (const page of pages) {
        for (const { Key } of page.Contents ?? []) {
          if (Key !== undefined) names.push(Key.slice(start.length));
        }
      }
      return names.sort();
    });
  }

  /** See {@link BackupTarget.delete}. */
  async delete(name: string): Promise<void> {
    await this.#doing(`delete ${name} from`, async ({ client, sdk }) => {
      await client.send(
        new sdk.DeleteObjectCommand({ Bucket: this.#location.bucket, Key: this.#key(name) }),
      );
    });
  }

  #key(name: string): string {
    return this.#location.prefix === '' ? name : `${this.#location.prefix}/${name}`;
  }

  async #doing<T>(what: string, run: (opened: Opened) => Promise<T>): Promise<T> {
    try {
      this.#opened ??= this.#open();
      return await run(await this.#opened);
    } catch (error) {
      const reason = error instanceof Error ? `${error.name}: ${error.message}` : 'unknown error';
      throw new BackupError('BACKUP_TARGET', `cannot ${what} ${this.description}: ${reason}`, {
        cause: error,
      });
    }
  }

  /** The SDK is loaded only where it is used: it is large. */
  async #open(): Promise<Opened> {
    const sdk = await import('@aws-sdk/client-s3');
    return { sdk, client: new sdk.S3Client({ forcePathStyle: this.#location.usesPathStyle }) };
  }
}
