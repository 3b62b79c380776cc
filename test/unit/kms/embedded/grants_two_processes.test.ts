/** Grants of one key that two processes make and retire at once, one of them killed again and again. */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { EmbeddedKms, KeyStore, loadRootKey } from '../../../../src/kms/index.ts';
import { GrantStore } from '../../../../src/kms/embedded/grant_store.ts';
import { systemClock } from '../../../../src/util/index.ts';
import { builtProduct } from '../../../support/built_product.ts';

const ROOT = Buffer.alloc(32, 5).toString('base64');
const KILLS = 4;
const TIMEOUT_MS = 120_000;

/** Makes grants and retires every second one; says each that is begun and each that is durable. */
const CHILD = `
const [kmsFolder, path, root, arn, name] = process.argv.slice(1);
const { EmbeddedKms, KeyStore, loadRootKey } = await import(kmsFolder);
const store = KeyStore.open({ path, rootKey: loadRootKey({ kind: 'base64', value: root }) });
const kms = new EmbeddedKms({ store });
const say = (line) => new Promise((done) => process.stdout.write(line + '\\n', done));
for (let count = 0; ; count += 1) {
  const grant = name + '-' + count;
  await say('making ' + grant);
  const id = await kms.createGrant(arn, { name: grant, operations: ['Decrypt'], contextSubset: { t: grant } });
  await say('made ' + grant + ' ' + id);
  if (count % 2 === 0) continue;
  await say('retiring ' + grant);
  await kms.retireGrant(arn, id);
  await say('retired ' + grant);
}`;

interface Seen {
  /** Grants by name, whose making or retiring was not answered. */
  readonly unknown: Set<string>;
  readonly there: Set<string>;
  readonly gone: Set<string>;
}

function take(seen: Seen, line: string): void {
  const [what = '', name = ''] = line.split(' ');
  if (what === 'making' || what === 'retiring') seen.unknown.add(name);
  else seen.unknown.delete(name);
  if (what === 'retiring') seen.there.delete(name);
  if (what === 'made') seen.there.add(name);
  if (what === 'retired') seen.gone.add(name);
}

describe('grants of one key under two processes', () => {
  it(
    'are all there that were made, and none that was retired, though one is killed at any time',
    async () => {
      const kmsFolder = join(dirname(await builtProduct()), '..', 'kms', 'index.js');
      const path = join(mkdtempSync(join(tmpdir(), 'cqlock-grants-')), 'keystore');
      const rootKey = loadRootKey({ kind: 'base64', value: ROOT });
      const store = await KeyStore.create({ path, rootKey });
      const kms = new EmbeddedKms({ store });
      const arn = await kms.createCustomerKey('shared');
      const seen: Seen = { unknown: new Set(), there: new Set(), gone: new Set() };
      const complaints: string[] = [];
      const begin = (name: string) => {
        const args = ['--input-type=module', '-e', CHILD, pathToFileURL(kmsFolder).href];
        const child = spawn(process.execPath, [...args, path, ROOT, arn, name], {
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        let made = 0;
        createInterface(child.stdout).on('line', (line) => {
          take(seen, line);
          if (line.startsWith('made')) made += 1;
        });
        child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk.toString('utf8')));
        const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
        return {
          made: () => made,
          kill: async () => {
            child.kill('SIGKILL');
            await ended;
          },
        };
      };

      const steady = begin('steady');
      const grants = new GrantStore(store, systemClock);
      for (let round = 0; round < KILLS; round += 1) {
        const victim = begin(`victim${round}`);
        // A reader sees one state at any time, and each grant that was durable before it looked and is kept.
        while (victim.made() < 5 + round) {
          expect(complaints).toEqual([]);
          const sure = [...seen.there].filter((name) => Number(name.split('-')[1]) % 2 === 0);
          const names = new Set(grants.all(arn).map((grant) => grant.name));
          expect(sure.filter((name) => !names.has(name))).toEqual([]);
          await setTimeout(3);
        }
        await setTimeout(randomInt(20));
        await victim.kill();
      }
      const before = steady.made();
      await expect.poll(() => steady.made(), { timeout: 20_000 }).toBeGreaterThan(before + 3);
      await steady.kill();

      expect(complaints).toEqual([]);
      const left = new Set(grants.all(arn).map((grant) => grant.name ?? ''));
      const certain = (names: Iterable<string>) =>
        [...names].filter((name) => !seen.unknown.has(name)).sort();
      expect(certain(left)).toEqual(certain(seen.there));
      expect([...seen.gone].filter((name) => left.has(name))).toEqual([]);
      expect(seen.gone.size).toBeGreaterThan(KILLS);
      // Whoever changes next finds a free lock and takes away what the killed left behind.
      const survivor = new EmbeddedKms({ store: KeyStore.open({ path, rootKey }) });
      const last = { name: 'last', operations: ['Decrypt'], contextSubset: {} } as const;
      expect(await survivor.createGrant(arn, last)).toMatch(/^[0-9a-f]{64}$/);
      const named = Object.values(store.read().keys[arn]?.grants ?? {}).map(({ file }) => file);
      expect(readdirSync(`${path}.grants`).sort()).toEqual(named.sort());
    },
    TIMEOUT_MS,
  );
});
