import { describe, expect, it } from 'vitest';
import { InvalidRequestError } from '../../../src/errors/index.ts';
import {
  TimeuuidGenerator,
  callFunction,
  compareValues,
  native,
  timeuuidToUnixMs,
} from '../../../src/values/index.ts';
import type { FunctionContext, NativeTypeName } from '../../../src/values/index.ts';
import { fromHex, toHex } from './vector_checks.ts';

const NOW = Date.UTC(2024, 1, 29, 12, 34, 56, 789);
const context: FunctionContext = {
  nowMs: () => NOW,
  randomBytes: (count) => new Uint8Array(count).fill(0xff),
  nextTimeuuid: () => fromHex('13814000-1dd2-11b2-8080-808080808080'.replaceAll('-', '')),
};

function call(name: string, ...args: [NativeTypeName, string | null][]): string | null {
  const values = args.map(([type, hex]) => ({
    type: native(type),
    bytes: hex === null ? null : fromHex(hex),
  }));
  const result = callFunction(name, values, undefined, context);
  if (result === undefined) return 'unknown';
  const type = result.type.kind === 'native' ? result.type.name : result.type.kind;
  return result.bytes === null ? null : `${type} ${toHex(result.bytes)}`;
}

describe('callFunction', () => {
  it.each<[string, [NativeTypeName, string | null][], string | null]>([
    ['now', [], 'timeuuid 138140001dd211b28080808080808080'],
    ['uuid', [], 'uuid ffffffffffff4fffbfffffffffffffff'],
    // 2024-02-29 is day 19782.
    ['current_date', [], 'date 80004d46'],
    ['currenttimestamp', [], 'timestamp 0000018df4dc5495'],
    // 45,296.789 seconds of the day in nanoseconds.
    ['currenttime', [], 'time 000029327b048f40'],
    // RFC 9562: the Unix epoch as a version 1 time is 13814000-1dd2-11b2.
    [
      'min_timeuuid',
      [['timestamp', '0000000000000000']],
      'timeuuid 138140001dd211b28080808080808080',
    ],
    [
      'maxtimeuuid',
      [['timestamp', '0000000000000000']],
      'timeuuid 1381670f1dd211b27f7f7f7f7f7f7f7f',
    ],
    [
      'totimestamp',
      [['timeuuid', '138140001dd211b28080808080808080']],
      'timestamp 0000000000000000',
    ],
    ['to_timestamp', [['date', '80000001']], 'timestamp 0000000005265c00'],
    ['todate', [['timestamp', '0000000005265c00']], 'date 80000001'],
    // Java's Duration.toDays cuts towards zero.
    ['to_date', [['timestamp', 'ffffffffffffffff']], 'date 80000000'],
    ['tounixtimestamp', [['date', '7fffffff']], 'bigint fffffffffad9a400'],
    ['to_date', [['timestamp', null]], null],
    ['to_date', [['timestamp', '']], null],
    ['intasblob', [['int', '00000001']], 'blob 00000001'],
    ['blob_as_int', [['blob', '00000001']], 'int 00000001'],
    ['blobasvarchar', [['blob', '61']], 'text 61'],
    ['text_as_blob', [['ascii', '61']], 'blob 61'],
    ['nosuch', [], 'unknown'],
    ['blobasblob', [['blob', '61']], 'unknown'],
  ])('%s %j', (name, args, expected) => {
    expect(call(name, ...args)).toBe(expected);
  });

  it.each<[string, [NativeTypeName, string | null][]]>([
    ['now', [['int', '00000001']]],
    ['blob_as_int', [['blob', '01']]],
    ['to_date', [['int', '00000001']]],
    ['min_timeuuid', [['text', '61']]],
  ])('refuses %s %j', (name, args) => {
    expect(() => call(name, ...args)).toThrow(InvalidRequestError);
  });
});

describe('TimeuuidGenerator', () => {
  it('rises while the clock stands still or goes back', () => {
    let now = NOW;
    const generator = new TimeuuidGenerator({ ...context, nowMs: () => now });
    const made: Uint8Array[] = [];
    for (let i = 0; i < 3000; i++) {
      if (i === 1000) now -= 5000;
      made.push(generator.next());
    }
    for (let i = 1; i < made.length; i++) {
      const [previous, current] = [made[i - 1] as Uint8Array, made[i] as Uint8Array];
      expect(compareValues(native('timeuuid'), previous, current)).toBeLessThan(0);
    }
    const first = made[0] as Uint8Array;
    expect(timeuuidToUnixMs(first)).toBe(BigInt(NOW));
    expect((first[6] as number) >> 4).toBe(1);
    expect((first[8] as number) >> 6).toBe(2);
  });
});
