/** Prints what commands found: a table or lines for people, JSON for programs. */
export interface Printer {
  /** One line of text for a person. */
  line(text: string): void;
  /** The same content as JSON, or as rows with a heading. */
  table(json: unknown, heading: readonly string[], rows: readonly (readonly string[])[]): void;
  /** The same content as JSON, or as lines. */
  lines(json: unknown, lines: readonly string[]): void;
}

/** Prints with `say`; JSON when it is asked for. */
export function printer(say: (line: string) => void, isJson: boolean): Printer {
  const json = (content: unknown) => {
    say(JSON.stringify(content, null, 2));
  };
  return {
    line: (text) => {
      if (!isJson) say(text);
    },
    table: (content, heading, rows) => {
      if (isJson) json(content);
      else for (const line of tableLines(heading, rows)) say(line);
    },
    lines: (content, lines) => {
      if (isJson) json(content);
      else for (const line of lines) say(line);
    },
  };
}

/** Columns as wide as their widest cell, two spaces between them. */
export function tableLines(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  const widths = heading.map((name, index) =>
    Math.max(name.length, ...rows.map((row) => (row[index] ?? '').length)),
  );
  return [heading, ...rows].map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** A date for people, to the second, UTC. */
export function dateText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
