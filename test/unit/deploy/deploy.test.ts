import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { parseConfigFile } from '../../../src/config/config_file.ts';
import { CONFIG_FILE_VARIABLE, loadConfig, SETTING_NAMES } from '../../../src/config/index.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const read = (path: string): string => readFileSync(`${ROOT}${path}`, 'utf8');

interface Service {
  readonly image?: string;
  readonly environment?: Record<string, string>;
  readonly read_only?: boolean;
  readonly ports?: readonly string[];
}

describe('what deploys cqlock', () => {
  it.each([
    'Dockerfile',
    'docker-compose.yml',
    'deploy/systemd/cqlock.service',
    'deploy/kubernetes/cqlock.yaml',
    'deploy/kubernetes/init.yaml',
  ])('%s sets only what there is', (path) => {
    const names = [...read(path).matchAll(/\bCQLOCK_[A-Z0-9_]*[A-Z0-9]/g)].map(([name]) => name);
    expect(names.length).toBeGreaterThan(0);
    expect(
      names.filter((name) => name !== CONFIG_FILE_VARIABLE && !SETTING_NAMES.includes(name)),
    ).toEqual([]);
  });

  it('the image runs as nobody in particular, and says how it is', () => {
    const text = read('Dockerfile');
    expect(text).toMatch(/^USER node$/m);
    // Bases can be replaced, and only there.
    expect(text.match(/^FROM .*$/gm)).toEqual([
      'FROM ${BUILD_IMAGE} AS build',
      'FROM ${NODE_IMAGE}',
    ]);
    expect(text).toMatch(/^HEALTHCHECK /m);
    expect(text).toMatch(/^STOPSIGNAL SIGTERM$/m);
  });

  it('compose starts a proxy that loads its settings, read-only, with nothing of Cassandra open to others', () => {
    const { services } = parse(read('docker-compose.yml'), { merge: true }) as {
      services: Record<string, Service>;
    };
    const { cqlock, cassandra, prometheus, grafana } = services;
    expect([prometheus?.image, grafana?.image].every((image) => image?.includes(':'))).toBe(true);
    expect(cassandra?.ports).toBeUndefined();
    expect(cqlock?.read_only).toBe(true);
    const config = loadConfig({ XDG_CONFIG_HOME: '/xdg', ...cqlock?.environment }, '/');
    expect(config.tls?.mode).toBe('required');
    expect(config.authentication.mode).toBe('password');
    for (const { ports } of Object.values(services)) {
      for (const port of ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
  });

  it('the manifests of Kubernetes have settings that are right, probes, secrets and proxies on different nodes', () => {
    const documents = parseAllDocuments(read('deploy/kubernetes/cqlock.yaml'));
    const objects = documents.map((document) => {
      if (!('toJS' in document)) throw new Error('no document');
      expect(document.errors).toEqual([]);
      return document.toJS() as {
        kind: string;
        data?: Record<string, string>;
        spec?: Record<string, unknown>;
      };
    });
    const config = objects.find(({ kind }) => kind === 'ConfigMap')?.data?.['cqlock.yaml'] ?? '';
    expect(parseConfigFile(config, 'cqlock.yaml', '/').problems).toEqual([]);
    const text = JSON.stringify(objects.find(({ kind }) => kind === 'Deployment'));
    for (const part of [
      'readinessProbe',
      'livenessProbe',
      'startupProbe',
      'secretKeyRef',
      'podAntiAffinity',
    ]) {
      expect(text).toContain(part);
    }
    expect(text).toContain('"readOnlyRootFilesystem":true');
  });

  it('the job that prepares a cluster sees what the proxies see', () => {
    const volumesOf = (path: string, kind: string): unknown => {
      const objects = parseAllDocuments(read(path)).map(
        (document) => ('toJS' in document ? document.toJS() : {}) as Record<string, unknown>,
      );
      const found = objects.find((object) => object['kind'] === kind) as {
        spec: { template: { spec: { volumes: unknown; containers: [{ env: unknown }] } } };
      };
      const { volumes, containers } = found.spec.template.spec;
      return { volumes, env: containers[0].env };
    };
    expect(volumesOf('deploy/kubernetes/init.yaml', 'Job')).toEqual(
      volumesOf('deploy/kubernetes/cqlock.yaml', 'Deployment'),
    );
  });

  it('systemd keeps keys out of core dumps and does not try wrong settings again', () => {
    const text = read('deploy/systemd/cqlock.service');
    expect(text).toMatch(/^LimitCORE=0$/m);
    expect(text).toMatch(/^RestartPreventExitStatus=2$/m);
  });
});
