import type { BackupRow, RowReader } from '../backup/index.ts';
import { CiphertextError } from '../errors/index.ts';
import type { TokenRange } from '../upstream/index.ts';

/** Rows of an answer, one by one: an error stands in the place of a row that is no ciphertext. */
export function readRows(
  reader: RowReader,
  answer: Parameters<RowReader['rows']>[0],
  atS: number,
): { readonly rows: readonly (BackupRow | CiphertextError)[]; readonly bytes: number } {
  const rows: (BackupRow | CiphertextError)[] = [];
  let bytes = 0;
  for (const row of answer) {
    try {
      const read = reader.rows([row], atS);
      rows.push(...read.rows);
      bytes += read.bytes;
    } catch (error) {
      if (!(error instanceof CiphertextError)) throw error;
      rows.push(error);
    }
  }
  return { rows, bytes };
}

/** A token range as a {@link RowReader} takes it. */
export function boundsOf(range: TokenRange): readonly string[] {
  return [String(range.after), String(range.upTo)];
}
