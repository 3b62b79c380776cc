import type { ConfigFile } from './config_file.ts';
import { FILE_KEYS } from './file_keys.ts';

const SETTING = /CQLOCK_[A-Z0-9_]*[A-Z0-9]/g;

/**
 * Says where a problem is: in words that name settings by their variables, those that the file is about are named by their
 * keys, with the line in front. Settings of the environment keep the names of their variables.
 */
export function locateProblem(
  problem: string,
  file: ConfigFile | undefined,
  inEnvironment: (name: string) => boolean,
): string {
  if (file === undefined) return problem;
  const names = [...problem.matchAll(SETTING)].map(([name]) => name);
  const ofFile = names.filter((name) => keyOf(name) !== undefined && !inEnvironment(name));
  if (ofFile.length === 0) return problem;
  const words = problem.replace(SETTING, (name) =>
    ofFile.includes(name) ? (keyOf(name) ?? name) : name,
  );
  const written = ofFile.map((name) => file.lines.get(keyOf(name) ?? '')).find((line) => line);
  // None of them is there: a setting of the environment is the cause, or one that is missing.
  if (written === undefined && names.some(inEnvironment)) return problem;
  return `${file.path}:${String(written ?? nearestLine(keyOf(ofFile[0] ?? '') ?? '', file))}: ${words}`;
}

/** The key of a setting, or that of the file which has it where it is secret. */
function keyOf(name: string): string | undefined {
  return FILE_KEYS[name] ?? FILE_KEYS[`${name}_FILE`];
}

/** The line of the block that a key would be in. */
function nearestLine(key: string, file: ConfigFile): number {
  const parts = key.split('.');
  while (parts.length > 0) {
    const line = file.lines.get(parts.join('.'));
    if (line !== undefined) return line;
    parts.pop();
  }
  return 1;
}
