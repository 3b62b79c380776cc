import { createRequire } from 'node:module';
import cassandra from 'cassandra-driver';
import { UpstreamError } from '../errors/index.ts';

interface DriverType {
  readonly code: number;
  readonly info?: unknown;
}

type Decode = (this: unknown, bytes: Buffer | null, type: DriverType) => unknown;

interface DriverEncoder {
  readonly prototype: { decode: Decode };
}

let isDone = false;

/**
 * Makes cassandra-driver read lists with null elements, as `ttl()` of a collection gives them where an element does not
 * expire. By itself the driver takes a null for an element of -1 bytes and reads on in the wrong place.
 */
export function readNullElements(): void {
  if (isDone) return;
  isDone = true;
  const encoder = createRequire(import.meta.url)(
    'cassandra-driver/lib/encoder.js',
  ) as DriverEncoder;
  const { decode } = encoder.prototype;
  encoder.prototype.decode = function (bytes, type) {
    if (bytes === null || bytes.length === 0 || type.code !== cassandra.types.dataTypes.list) {
      return decode.call(this, bytes, type);
    }
    return elementsOf(bytes).map((element) =>
      element === null
        ? null
        : encoder.prototype.decode.call(this, element, type.info as DriverType),
    );
  };
}

/** The elements of a serialised list. Spec: native_protocol_v4 6.11 */
function elementsOf(bytes: Buffer): (Buffer | null)[] {
  let at = 0;
  const int = (): number => {
    if (bytes.length - at < 4) throw endsEarly();
    at += 4;
    return bytes.readInt32BE(at - 4);
  };
  const elements: (Buffer | null)[] = [];
  for (let left = int(); left > 0; left -= 1) {
    const length = int();
    if (length > bytes.length - at) throw endsEarly();
    elements.push(length < 0 ? null : bytes.subarray(at, at + length));
    at += Math.max(length, 0);
  }
  return elements;
}

function endsEarly(): UpstreamError {
  return new UpstreamError('UPSTREAM_RESPONSE', 'a list in an answer of Cassandra ends early');
}
