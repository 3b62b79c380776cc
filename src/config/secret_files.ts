import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { SECRETS_READ_FROM_FILES } from './file_keys.ts';

/**
 * Puts the contents of secret files in the place of their paths, without the line end that editors leave.
 * @param values settings by name; changed.
 * @returns what is wrong, in words that name the setting and repeat nothing of the file.
 */
export function readSecretFiles(values: Map<string, string>, workingDir: string): string[] {
  const problems: string[] = [];
  for (const name of SECRETS_READ_FROM_FILES) {
    const pathName = `${name}_FILE`;
    const path = values.get(pathName) ?? '';
    values.delete(pathName);
    if (path === '') continue;
    if ((values.get(name) ?? '') !== '') {
      problems.push(`${pathName}, ${name}: only one of them may be set`);
      continue;
    }
    try {
      const text = readFileSync(resolve(workingDir, path), 'utf8').replace(/\r?\n$/, '');
      if (text === '')
        problems.push(`${pathName}: the file ${path} is empty; write the secret to it`);
      else values.set(name, text);
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? 'unknown error';
      problems.push(
        `${pathName}: the file ${path} cannot be read (${why}); correct the path or its permissions`,
      );
    }
  }
  return problems;
}
