/** `npm run grafana`: writes the files that are made. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generatedFiles } from './files.ts';

const TARGET = fileURLToPath(new URL('..', import.meta.url));
for (const [path, content] of generatedFiles()) {
  writeFileSync(join(TARGET, path), content);
  process.stdout.write(`grafana/${path}\n`);
}
