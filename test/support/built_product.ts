/**
 * The product as JavaScript, for tests that start it as a process of its own. It is made from the sources as they are, file
 * by file and only what changed, so a test never runs an old build and needs none.
 */
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TARGET = join(ROOT, '.cache', 'test_build');

let made: Promise<string> | undefined;

/** Path of the command line's main.js, up to date. */
export function builtProduct(): Promise<string> {
  made ??= build();
  return made;
}

async function build(): Promise<string> {
  const sources = join(ROOT, 'src');
  // main.js reads its version two folders up, and "type": "module" makes the folder one of modules.
  put(join(TARGET, 'package.json'), readFileSync(join(ROOT, 'package.json'), 'utf8'), undefined);
  for (const name of readdirSync(sources, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts') || name.endsWith('.d.ts')) continue;
    const source = join(sources, name);
    const target = join(TARGET, 'dist', name.replace(/\.ts$/, '.js'));
    const { mtime } = statSync(source);
    if (existsSync(target) && statSync(target).mtimeMs === mtime.getTime()) continue;
    put(target, await transpile(source), mtime);
  }
  return join(TARGET, 'dist', 'app', 'main.js');
}

async function transpile(source: string): Promise<string> {
  const { default: typescript } = await import('typescript');
  const { outputText } = typescript.transpileModule(readFileSync(source, 'utf8'), {
    fileName: source,
    compilerOptions: {
      target: typescript.ScriptTarget.ES2023,
      module: typescript.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
      inlineSourceMap: true,
    },
  });
  return outputText;
}

/** Several test processes may build at once, so a file appears whole or not at all. */
function put(path: string, text: string, modified: Date | undefined): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${randomBytes(4).toString('hex')}`;
  writeFileSync(temporary, text);
  if (modified !== undefined) utimesSync(temporary, modified, modified);
  renameSync(temporary, path);
}
