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
    firstNamed(message, places) ??
    named.map((name) => places.get(name)).find((place) => place !== undefined);
  return found === undefined ? message : `${found.place}: ${message}`;
}

/** The setting whose path comes first in a message; of paths that begin alike the longest. */
function firstNamed(
  message: string,
  places: ReadonlyMap<string, SettingPlace>,
): SettingPlace | undefined {
  const found = [...places.values()].flatMap((setting) => {
    const { path } = setting;
    const at = path === undefined ? -1 : message.indexOf(path);
    return path === undefined || at === -1 ? [] : [{ setting, at, length: path.length }];
  });
  return found.sort((a, b) => a.at - b.at || b.length - a.length)[0]?.setting;
}
