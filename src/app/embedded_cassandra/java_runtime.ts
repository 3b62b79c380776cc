import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../../errors/index.ts';

/** A Java that Cassandra runs on. */
export interface JavaRuntime {
  /** The `java` to start. */
  readonly command: string;
  /** Its home, for tools that want JAVA_HOME; absent when only the command's name is known. */
  readonly home: string | undefined;
  /** 11 or 17. */
  readonly major: number;
}

/** Cassandra 5.0 is released for these; newer ones have lost the security manager that it uses. */
const SUPPORTED = [17, 11];

/** Reads the major version out of what `java -version` prints; undefined if that is not what it looks like. */
export function javaMajorVersion(output: string): number | undefined {
  const match = /version "(\d+)(?:\.(\d+))?/.exec(output);
  if (match === null) return undefined;
  const first = Number(match[1]);
  return first === 1 && match[2] !== undefined ? Number(match[2]) : first;
}

function versionOf(command: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    execFile(command, ['-version'], { timeout: 20_000 }, (error, stdout, stderr) => {
      resolve(error === null ? javaMajorVersion(stdout + stderr) : undefined);
    });
  });
}

async function homesBelow(directory: string, suffix: string): Promise<string[]> {
  try {
    const names = await readdir(directory);
    return names.sort().map((name) => join(directory, name, suffix));
  } catch {
    return [];
  }
}

/**
 * Finds a Java 17 (or 11): JAVA_HOME, the search path, then where systems install it.
 * @throws ConfigError CONFIG_JAVA when there is none; says which were found.
 */
export async function findJava(javaHome: string | undefined): Promise<JavaRuntime> {
  const preferred: { command: string; home: string | undefined }[] = [];
  if (javaHome !== undefined && javaHome !== '') {
    preferred.push({ command: join(javaHome, 'bin', 'java'), home: javaHome });
  }
  preferred.push({ command: 'java', home: undefined });
  const seen: number[] = [];
  const pick = async (
    candidates: readonly { command: string; home: string | undefined }[],
  ): Promise<JavaRuntime | undefined> => {
    const found: JavaRuntime[] = [];
    for (const candidate of candidates) {
      const major = await versionOf(candidate.command);
      if (major === undefined) continue;
      if (SUPPORTED.includes(major)) found.push({ ...candidate, major });
      else seen.push(major);
    }
    return SUPPORTED.flatMap((major) => found.filter((java) => java.major === major))[0];
  };
  const first = await pick(preferred);
  if (first !== undefined) return first;
  const installed = [
    ...(await homesBelow('/usr/lib/jvm', '')),
    ...(await homesBelow('/Library/Java/JavaVirtualMachines', 'Contents/Home')),
  ].map((home) => ({ command: join(home, 'bin', 'java'), home }));
  const second = await pick(installed);
  if (second !== undefined) return second;
  const what =
    seen.length === 0
      ? 'no Java was found'
      : `only Java ${[...new Set(seen)].join(', ')} was found`;
  throw new ConfigError(
    'CONFIG_JAVA',
    `Cassandra needs Java 17 (or 11), but ${what}. Install a JDK 17 and set JAVA_HOME, ` +
      'or start a Docker engine, or name a running Cassandra in CQLOCK_CONTACT_POINTS.',
  );
}
