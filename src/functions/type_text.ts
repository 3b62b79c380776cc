import { printType } from '../values/index.ts';
import type { CqlType } from '../values/index.ts';

/** A type as messages about functions show it: tuples without their `frozen`. */
export function argumentTypeText(type: CqlType): string {
  if (type.kind !== 'tuple') return printType(type);
  return printType(type).replace(/^frozen<(.*)>$/, '$1');
}
