import { isUtf8 } from 'node:buffer';

/**
 * Whether Cassandra's validator of `text` accepts the bytes. It is more lenient than UTF-8: surrogates, C0 80 for
 * U+0000 and some malformed sequences pass, so strict UTF-8 alone would refuse what Cassandra stores.
 * Spec: org.apache.cassandra.serializers.UTF8Serializer.
 */
export function isCassandraUtf8(bytes: Uint8Array): boolean {
  const { length } = bytes;
  if (length <= 64) {
    let i = 0;
    while (i < length && (bytes[i] as number) < 0x80) i++;
    if (i === length) return true;
  }
  return isUtf8(bytes) || passesLenientValidator(bytes);
}

const START = 0;
const TWO = 1;
const TWO_80 = 2;
const THREE_A0BF = 3;
const THREE_80BF_1 = 4;
const THREE_80BF_2 = 5;
const FOUR_90BF = 6;
const FOUR_80BF_3 = 7;

function passesLenientValidator(bytes: Uint8Array): boolean {
  let state = START;
  for (let i = 0; i < bytes.length; i++) {
    const b = bytes[i] as number;
    const isContinuation = (b & 0xc0) === 0x80;
    switch (state) {
      case START:
        if (b >= 0x80) {
          state = afterLead(b);
          if (state === START) return false;
        }
        break;
      case TWO:
        if (!isContinuation) return false;
        state = START;
        break;
      case TWO_80:
        if (b !== 0x80) return false;
        state = START;
        break;
      case THREE_A0BF:
        if ((b & 0xe0) === 0x80) return false;
        state = THREE_80BF_1;
        break;
      case THREE_80BF_1:
        if (!isContinuation) return false;
        state = START;
        break;
      case THREE_80BF_2:
        if (!isContinuation) return false;
        state = THREE_80BF_1;
        break;
      case FOUR_90BF:
        if ((b & 0x30) === 0) return false;
        state = THREE_80BF_2;
        break;
      default:
        if (!isContinuation) return false;
        state = THREE_80BF_2;
        break;
    }
  }
  return state === START;
}

/** The state after a lead byte; START stands for 'malformed'. */
function afterLead(b: number): number {
  if (b >> 5 === 0b110) {
    if (b === 0xc0) return TWO_80;
    return (b & 0x1e) === 0 ? START : TWO;
  }
  if (b >> 4 === 0b1110) return b === 0xe0 ? THREE_A0BF : THREE_80BF_2;
  if (b >> 3 === 0b11110) return b === 0xf0 ? FOUR_90BF : FOUR_80BF_3;
  return START;
}
