/** Proves to the compiler that a union is handled whole; reached only if a type was lied about. */
export function assertNever(value: never): never {
  throw new TypeError(`unreachable: ${typeof value}`);
}
