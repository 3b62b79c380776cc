/**
 * Nothing in plain at rest: markers written through the proxy are in none of the files, while the same kinds of markers written
 * to Cassandra directly are found (which shows that the search finds what is there).
 */
import type { Endpoint } from '../support/endpoint.ts';
import { searchMarkers, type Hit } from './search.ts';
import { writeMarkers } from './write_markers.ts';

/** What the check needs. */
export interface AtRestOptions {
  readonly direct: Endpoint;
  readonly proxy: Endpoint;
  /** Cassandra's data directory (or directories): data, commit log, hints, saved caches. */
  readonly cassandraPaths: readonly string[];
  /** Logs of Cassandra and the proxy, the capture of the wire, the proxy's own data. Searched for markers of the proxy only. */
  readonly otherPaths: readonly string[];
  /** Where the wire of the positive control is captured. */
  readonly controlPaths: readonly string[];
  /** nodetool flush of all keyspaces. */
  readonly flush: () => Promise<void>;
  readonly say?: (line: string) => void;
}

/** What came of it. */
export interface AtRestReport {
  readonly ok: boolean;
  /** Markers of the proxy that were found: must be none. */
  readonly leaked: readonly Hit[];
  /** Labels of directly written markers that were not found: must be none. */
  readonly missed: readonly string[];
  readonly markers: number;
  readonly bytesSearched: number;
}

const KEYSPACES = { direct: 'at_rest_direct', proxy: 'at_rest_proxy' } as const;
/** Tracing is written behind the answer. */
const TRACE_WAIT_MS = 2500;

/** Runs the check. @throws TypeError when a statement fails that must work. */
export async function runAtRest(options: AtRestOptions): Promise<AtRestReport> {
  const say = options.say ?? ((line: string): void => void process.stdout.write(`${line}\n`));
  const [proxied, leaked, bytesSearched] = await writeAndSearch(
    options,
    options.proxy,
    KEYSPACES.proxy,
    options.otherPaths,
  );
  say(
    `at rest, through the proxy: ${proxied.statements} statements, ${proxied.markers.length} markers, ${proxied.readBack} read back in ${proxied.rows} rows; ${bytesSearched} bytes searched, ${leaked.length} finds`,
  );
  for (const hit of leaked.slice(0, 40))
    say(
      `  LEAK ${hit.marker.label} (${hit.marker.kind}) as ${hit.form} in ${hit.file} at ${hit.offset}`,
    );
  const [plain, found] = await writeAndSearch(
    options,
    options.direct,
    KEYSPACES.direct,
    options.controlPaths,
  );
  // The capture of the wire has them all and would hide what the search of the files misses.
  const stored = found.filter(({ file }) => !options.controlPaths.some((p) => file.startsWith(p)));
  const seen = new Set(stored.map((hit) => hit.marker));
  const missed = plain.markers
    .filter((m) => m.stored && !seen.has(m))
    .map((m) => `${m.label} (${m.kind})`);
  say(
    `positive control, directly: ${plain.markers.length} markers, ${seen.size} found in ${new Set(stored.map((h) => h.file)).size} files, ${missed.length} missed`,
  );
  for (const label of missed.slice(0, 20)) say(`  NOT FOUND ${label}`);
  for (const [kind, pattern] of PLACES) {
    const n = found.filter((h) => pattern.test(h.file)).length;
    say(`  ${kind}: ${n} finds`);
    if (n === 0) missed.push(`no find in any ${kind}`);
  }
  // Values that are deleted, only selected or refused do not come back; most of the others do.
  if (proxied.readBack !== plain.readBack || proxied.rows !== plain.rows)
    missed.push(
      `read back ${proxied.readBack} values in ${proxied.rows} rows, directly ${plain.readBack} in ${plain.rows}`,
    );
  return {
    ok: leaked.length === 0 && missed.length === 0,
    leaked,
    missed,
    markers: proxied.markers.length,
    bytesSearched,
  };
}

const PLACES: readonly (readonly [string, RegExp])[] = [
  ['SSTable of the keyspace', /at_rest_direct.*-Data\.db$/],
  ['commit log', /commitlog/],
  ['table of prepared statements', /prepared_statements-.*-Data\.db$/],
  ['capture of the wire', /\.to_upstream$/],
  ['table of traces', /system_traces.*-Data\.db$/],
];

async function writeAndSearch(
  options: AtRestOptions,
  endpoint: Endpoint,
  keyspace: string,
  others: readonly string[],
): Promise<[Awaited<ReturnType<typeof writeMarkers>>, Hit[], number]> {
  const written = await writeMarkers(endpoint, keyspace);
  await new Promise((resolve) => setTimeout(resolve, TRACE_WAIT_MS));
  const paths = [...options.cassandraPaths, ...others];
  // Before the flush the commit log holds everything; after it the SSTables do, and old segments may be gone.
  const before = await searchMarkers(paths, written.markers);
  await options.flush();
  const after = await searchMarkers(paths, written.markers);
  return [written, [...before.hits, ...after.hits], before.bytes + after.bytes];
}
