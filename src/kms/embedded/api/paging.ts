import { KmsFault } from '../kms_fault.ts';

/** One page of a list, and where the next one starts. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: Readonly<Record<string, unknown>>;
}

/**
 * A page of a list that is ordered by a name of each item. Markers name the last item given, so that a list that changes
 * meanwhile neither repeats nor skips what stayed.
 * @throws KmsFault InvalidMarkerException
 */
export function pageOf<T>(
  items: readonly T[],
  nameOf: (item: T) => string,
  request: { readonly Limit?: number | undefined; readonly Marker?: string | undefined },
  defaultLimit: number,
): Page<T> {
  const named = items
    .map((item) => ({ item, name: nameOf(item) }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const after = request.Marker === undefined ? undefined : readMarker(request.Marker);
  const start = after === undefined ? 0 : named.findIndex(({ name }) => name > after);
  const rest = start < 0 ? [] : named.slice(start);
  const page = rest.slice(0, request.Limit ?? defaultLimit);
  const last = page.at(-1);
  const isTruncated = rest.length > page.length && last !== undefined;
  return {
    items: page.map(({ item }) => item),
    next: isTruncated
      ? { Truncated: true, NextMarker: makeMarker(last.name) }
      : { Truncated: false },
  };
}

function makeMarker(name: string): string {
  return `m${Buffer.from(name, 'utf8').toString('base64url')}`;
}

function readMarker(marker: string): string {
  const name = Buffer.from(marker.slice(1), 'base64url').toString('utf8');
  if (makeMarker(name) === marker) return name;
  throw new KmsFault('InvalidMarkerException', 'The marker is not one that a list ended with.');
}
