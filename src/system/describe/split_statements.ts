/** One statement of a script: offsets in the whole text, `end` behind its semicolon. */
export interface ScriptPart {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * Cuts the script that DESCRIBE prints into statements. Semicolons in strings, quoted names and comments do not count.
 * What stands between two statements belongs to the later one; a rest of white space alone is left out.
 */
export function splitStatements(script: string): ScriptPart[] {
  const parts: ScriptPart[] = [];
  let start = 0;
  let index = 0;
  const cut = (end: number): void => {
    const text = script.slice(start, end);
    if (text.trim() !== '') parts.push({ start, end, text });
    start = end;
  };
  while (index < script.length) {
    const next = skipToken(script, index);
    if (script[index] === ';') cut(next);
    index = next;
  }
  cut(script.length);
  return parts;
}

/** Offset behind the string, quoted name, comment or single character at `index`. */
function skipToken(text: string, index: number): number {
  const after = (end: string, from: number): number => {
    const found = text.indexOf(end, from);
    return found === -1 ? text.length : found + end.length;
  };
  const pair = text.slice(index, index + 2);
  if (pair === '--' || pair === '//') return after('\n', index);
  if (pair === '/*') return after('*/', index + 2);
  if (pair === '$$') return after('$$', index + 2);
  const quote = text[index];
  // A doubled quote ends one string and starts the next: the same cut.
  if (quote === "'" || quote === '"') return after(quote, index + 1);
  return index + 1;
}
