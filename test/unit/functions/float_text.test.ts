import { describe, expect, it } from 'vitest';
import { doubleText, floatText } from '../../../src/functions/float_text.ts';

/** Bits and text of Java 17, where its text is not the shortest that reads back. */
describe('floating point numbers as Java prints them', () => {
  it.each([
    ['44b52d02c7e14af6', '9.999999999999999E22'],
    ['44c52d02c7e14af6', '1.9999999999999998E23'],
    ['447c7e83209e90b2', '8.409999999999999E21'],
    ['0000000000000001', '4.9E-324'],
    ['4385d18d1b207d80', '1.96524111572217856E17'],
    ['436a15b53e17cde0', '5.8737740555906816E16'],
    ['c386249dfadadec2', '-1.99446733591926848E17'],
    ['8000000000000000', '-0.0'],
    ['416312d000000000', '1.0E7'],
  ])('double %s', (bits, text) => {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(`0x${bits}`));
    expect(doubleText(view.getFloat64(0))).toBe(text);
  });

  it.each([
    ['5c2c8ef9', '1.94283584E17'],
    ['505f4a38', '1.49847327E10'],
    ['5ef995b0', '8.9922371E18'],
    ['588f76ec', '1.26192743E15'],
    ['da178c48', '-1.06642406E16'],
    ['00000001', '1.4E-45'],
    ['7fc00000', 'NaN'],
    ['ff800000', '-Infinity'],
  ])('float %s', (bits, text) => {
    const view = new DataView(new ArrayBuffer(4));
    view.setUint32(0, parseInt(bits, 16));
    expect(floatText(view.getFloat32(0))).toBe(text);
  });
});
