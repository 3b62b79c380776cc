import { describe, expect, it } from 'vitest';
import { judgeCassandra } from '../../../src/app/check/judge_cassandra.ts';

const MIB = 1024 * 1024;
const DEFAULTS = {
  batch_size_warn_threshold: '5KiB',
  batch_size_fail_threshold: '50KiB',
  native_transport_max_frame_size: '16MiB',
  commitlog_segment_size: '32MiB',
  native_transport_max_request_data_in_flight: '100MiB',
  native_transport_max_request_data_in_flight_per_ip: '25MiB',
  authenticator: 'AllowAllAuthenticator',
};
const RAISED = {
  batch_size_warn_threshold: '40KiB',
  batch_size_fail_threshold: '1MiB',
  native_transport_max_frame_size: '128MiB',
  commitlog_segment_size: '64MiB',
  authenticator: 'PasswordAuthenticator',
};

function judged(settings: Record<string, string> | undefined, releaseVersion = '5.0.6'): string[] {
  return judgeCassandra(
    { releaseVersion, settings: settings && new Map(Object.entries(settings)) },
    { maxFrameBytes: 16 * MIB },
  )
    .filter(({ level }) => level !== 'ok')
    .map(({ level, message }) => `${level} ${message}`);
}

describe('judgeCassandra', () => {
  it('says of Cassandra as it comes what to raise, and to what', () => {
    const text = judged(DEFAULTS).join('\n');
    expect(text).toMatch(/warning batch_size_warn_threshold is 5KiB: raise it .* at least 40KiB/);
    expect(text).toMatch(/batch_size_fail_threshold is 50KiB: raise it .* at least 400KiB/);
    expect(text).toMatch(/max_frame_size is 16MiB: raise it .* at least 128MiB/);
    expect(text).toMatch(/commitlog_segment_size is 32MiB: raise it .* at least 64MiB/);
    expect(text).toMatch(/in_flight_per_ip is 25MiB: raise it/);
    expect(text).toMatch(/set authenticator to PasswordAuthenticator/);
  });

  it('is content with enough', () => {
    expect(judged(RAISED)).toEqual([]);
  });

  it('names the permission that is missing', () => {
    expect(judged(undefined)).toEqual([
      expect.stringContaining('GRANT SELECT ON system_views.settings'),
    ]);
  });

  it.each([
    ['4.1.3', 'warning'],
    ['3.11.10', 'error'],
  ])('judges version %s with a %s', (version, level) => {
    expect(judged(RAISED, version)).toEqual([
      expect.stringMatching(`^${level} Cassandra ${version}`),
    ]);
  });
});
