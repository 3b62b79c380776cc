/** Bits of the character classes in {@link CHAR_CLASS}. */
export const CharBit = { LETTER: 1, DIGIT: 2, HEX: 4, WORD: 8, SPACE: 16, SYMBOL: 32 } as const;

/** Classes of the ASCII characters by code; every other character has none. Read only. */
export const CHAR_CLASS: Uint8Array = buildClasses();

function buildClasses(): Uint8Array {
  const classes = new Uint8Array(128);
  const mark = (characters: string, bits: number): void => {
    for (const character of characters) {
      const code = character.charCodeAt(0);
      classes[code] = (classes[code] as number) | bits;
    }
  };
  mark('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ', CharBit.LETTER | CharBit.WORD);
  mark('0123456789', CharBit.DIGIT | CharBit.HEX | CharBit.WORD);
  mark('abcdefABCDEF', CharBit.HEX);
  mark('_', CharBit.WORD);
  mark(' \t\n\r', CharBit.SPACE);
  mark('%()*+,-./:;<=>?[]{}', CharBit.SYMBOL);
  return classes;
}

/** Whether the code unit is one of 0-9; `NaN` (past the end) is not. */
export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Whether the code unit is a hexadecimal digit. */
export function isHex(code: number): boolean {
  return code < 128 && ((CHAR_CLASS[code] as number) & CharBit.HEX) !== 0;
}

/** Whether the code unit may continue a word: ASCII letter, digit or underscore. */
export function isWordPart(code: number): boolean {
  return code < 128 && ((CHAR_CLASS[code] as number) & CharBit.WORD) !== 0;
}
