/** The package has types, but its `exports` hide them; this is the part that is used here. */
declare module 'binary-parser' {
  /** Describes a layout of bytes field by field and compiles a function that reads it. */
  export class Parser {
    /** Order of the bytes of all fields after it. */
    endianness(order: 'big' | 'little'): this;
    /** Class of the objects that {@link parse} returns. */
    create(type: new () => object): this;
    /** A field of 8 bits, unsigned. */
    uint8(name: string): this;
    /** A field of 16 bits, signed. */
    int16(name: string): this;
    /** A field of 32 bits, signed. */
    int32(name: string): this;
    /** Reads the described fields from the start of `bytes`. */
    parse(bytes: Uint8Array): unknown;
  }
}
