/** Looks for markers in files. */
import { closeSync, openSync, readSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { uncompressedContent } from './sstable.ts';
import { needlesOf, type Marker, type NeedleGroup } from './markers.ts';

/** One find. */
export interface Hit {
  readonly marker: Marker;
  readonly form: string;
  readonly file: string;
  readonly offset: number;
}

/** What a search went through. */
export interface SearchResult {
  readonly hits: readonly Hit[];
  readonly files: number;
  readonly bytes: number;
}

const CHUNK = 8 * 1024 * 1024;
const OVERLAP = 256;

/** All files under the paths (files or directories). */
export async function filesUnder(paths: readonly string[]): Promise<string[]> {
  const out: string[] = [];
  for (const path of paths) {
    if ((await stat(path)).isFile()) out.push(path);
    else
      for (const entry of await readdir(path, { withFileTypes: true, recursive: true }))
        if (entry.isFile()) out.push(join(entry.parentPath, entry.name));
  }
  return out;
}

/** Searches all files under `paths` for all markers in all forms. A file that goes away meanwhile (compaction) is left out. */
export async function searchMarkers(
  paths: readonly string[],
  markers: readonly Marker[],
): Promise<SearchResult> {
  const groups = needlesOf(markers);
  const hits: Hit[] = [];
  let bytes = 0;
  const files = await filesUnder(paths);
  for (const file of files) {
    bytes += searchFile(file, groups, hits);
    let content: Buffer | null;
    try {
      content = uncompressedContent(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      continue;
    }
    if (content === null) continue;
    bytes += content.length;
    searchChunk(content, groups, (marker, form, offset) => {
      hits.push({ marker, form: `${form}, uncompressed`, file, offset });
    });
  }
  return { hits, files: files.length, bytes };
}

function searchFile(file: string, groups: readonly NeedleGroup[], hits: Hit[]): number {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
  try {
    const buf = Buffer.alloc(CHUNK + OVERLAP);
    let kept = 0;
    let start = 0;
    for (;;) {
      const got = readSync(fd, buf, kept, CHUNK, null);
      if (got === 0) return start + kept;
      const length = kept + got;
      searchChunk(buf.subarray(0, length), groups, (marker, form, at) => {
        // What lies whole in the overlap was seen with the chunk before.
        hits.push({ marker, form, file, offset: start + at });
      });
      const keep = Math.min(OVERLAP, length);
      buf.copyWithin(0, length - keep, length);
      start += length - keep;
      kept = keep;
    }
  } finally {
    closeSync(fd);
  }
}

/** Calls `found` for every needle in a buffer; a hit may be reported twice where chunks overlap. */
export function searchChunk(
  buf: Buffer,
  groups: readonly NeedleGroup[],
  found: (marker: Marker, form: string, at: number) => void,
): void {
  for (const { anchor, needles } of groups) {
    for (let at = buf.indexOf(anchor); at >= 0; at = buf.indexOf(anchor, at + 1)) {
      for (const { marker, form, bytes } of needles) {
        if (
          at + bytes.length <= buf.length &&
          buf.compare(bytes, 0, bytes.length, at, at + bytes.length) === 0
        )
          found(marker, form, at);
      }
    }
  }
}
