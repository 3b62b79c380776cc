import { describe, expect, it } from 'vitest';
import { plainLogin, plainToken } from '../../../src/proxy/plain_user.ts';

function body(token: string | Buffer): Buffer {
  const bytes = Buffer.from(token);
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

describe('the user of an AUTH_RESPONSE', () => {
  it.each([
    ['\0alice\0secret', 'alice'],
    ['other\0alice\0secret', 'alice'],
    ['\0zoë\0', 'zoë'],
  ])('is read as Cassandra reads it: %j', (token, user) => {
    expect(plainLogin(body(token))?.user).toBe(user);
  });

  it.each([
    ['one zero byte', body('alice\0secret')],
    ['three zero bytes', body('\0alice\0sec\0ret')],
    ['an empty user', body('\0\0secret')],
    ['another mechanism', body('n,,n=alice,r=abc')],
    ['no UTF-8', body(Buffer.from('00ff0041', 'hex'))],
    ['a null token', Buffer.from('ffffffff', 'hex')],
    ['a length that is not that of the body', Buffer.from('000000090061006200', 'hex')],
    ['nothing', Buffer.alloc(0)],
  ])('is not known from %s', (_, bytes) => {
    expect(plainLogin(bytes)).toBeUndefined();
  });

  it('and its password make a token that is read back', () => {
    expect(plainLogin(body(plainToken('zoë', 'pass word')))).toEqual({
      user: 'zoë',
      password: 'pass word',
    });
  });
});
