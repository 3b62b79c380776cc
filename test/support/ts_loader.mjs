// Lets plain Node run the TypeScript programs of this folder tree without a build:
//   node --import ./test/support/ts_loader.mjs test/differential/main.ts
// Types are only stripped here; `npm run typecheck` is what checks them.
import { readFile } from 'node:fs/promises';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) register(import.meta.url);

let compiler;

/** Node's load hook: `.ts` files become JavaScript modules, all else goes on. */
export async function load(url, context, nextLoad) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context);
  compiler ??= (await import('typescript')).default;
  const fileName = fileURLToPath(url);
  const { outputText } = compiler.transpileModule(await readFile(fileName, 'utf8'), {
    fileName,
    compilerOptions: {
      target: compiler.ScriptTarget.ES2022,
      module: compiler.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
    },
  });
  return { format: 'module', source: outputText, shortCircuit: true };
}
