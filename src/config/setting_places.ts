import { resolve } from 'node:path';
import type { ConfigFile } from './config_file.ts';
import { FILE_KEYS, isPathSetting } from './file_keys.ts';

/** Where a setting was given. */
export interface SettingPlace {
  /** `cqlock.yaml:3: tls.key_file`, or the name of its variable. */
  readonly place: string;
  /** What it names, absolute; undefined when it is no path. */
  readonly path: string | undefined;
}

/** The settings that were given, by the names of their variables, with the place of each. Holds no secret. */
export function settingPlaces(
  given: ReadonlyMap<string, string>,
  ofEnvironment: ReadonlyMap<string, string>,
  file: ConfigFile | undefined,
  workingDir: string,
): Map<string, SettingPlace> {
  const places = new Map<string, SettingPlace>();
  for (const [name, value] of new Map([...(file?.values ?? []), ...given])) {
    const key = FILE_KEYS[name];
    const line = key === undefined ? undefined : file?.lines.get(key);
    const isOfFile = !ofEnvironment.has(name) && file !== undefined && line !== undefined;
    places.set(name, {
      place: isOfFile ? `${file.path}:${String(line)}: ${key ?? name}` : name,
      path: isPathSetting(name, value) ? resolve(workingDir, value) : undefined,
    });
  }
  return places;
}

/**
 * Puts the place of the setting that a message is about in front of it: that of `setting`, else of the path that the message
 * names, else of the first variable that it names. A message about settings that were not given stays as it is.
 */
export function withPlace(
  message: string,
  places: ReadonlyMap<string, SettingPlace>,
  setting?: string,
): string {
  const named = [...message.matchAll(/CQLOCK_[A-Z0-9_]*[A-Z0-9]/g)].map(([name]) => name);
  const found =
    (setting === undefined ? undefined : places.get(setting)) ??
    longest(
      [...places.values()].filter(({ path }) => path !== undefined && message.includes(path)),
    ) ??
    named.map((name) => places.get(name)).find((place) => place !== undefined);
  return found === undefined ? message : `${found.place}: ${message}`;
}

/** Of paths that a message has, one may be the start of another. */
function longest(found: readonly SettingPlace[]): SettingPlace | undefined {
  return [...found].sort((a, b) => (b.path ?? '').length - (a.path ?? '').length)[0];
}
