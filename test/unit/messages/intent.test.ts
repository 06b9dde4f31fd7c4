import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseIntentMessage } from '../../../src/messages/intent.ts';

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const good = {
  v: 1,
  id: 'm1',
  vm: 'app1',
  target: 'db2',
  deadline: '2026-01-01T00:00:30.000Z',
  issuedAt: '2026-01-01T00:00:00.000Z',
};

describe('parseIntentMessage', () => {
  it('takes an intent without kind and source, and lets unknown fields through', () => {
    const parsed = parseIntentMessage(encode({ ...good, colour: 'blue' }));
    expect(parsed).toMatchObject({ ok: true, message: { kind: 'intent', vm: 'app1', colour: 'blue' } });
  });

  it.each(['arrived', 'aborted'])('takes an outcome: %s', (kind) => {
    const parsed = parseIntentMessage(encode({ v: 1, id: 'm1', kind, at: good.issuedAt }));
    expect(parsed).toMatchObject({ ok: true, message: { kind, id: 'm1' } });
  });

  it.each([
    ['version', { v: '1' }, 'version_unsupported'],
    ['no version', { v: undefined }, 'version_unsupported'],
    ['deadline', { deadline: 'tomorrow' }, 'message_malformed'],
    ['vm', { vm: 'a.b' }, 'message_malformed'],
    ['a name of 65 characters', { target: 'x'.repeat(65) }, 'message_malformed'],
    ['an empty name', { target: '' }, 'message_malformed'],
    ['kind', { kind: 'Intent' }, 'message_malformed'],
  ])('refuses a wrong %s, and keeps the id', (_, fields, code) => {
    expect(parseIntentMessage(encode({ ...good, ...fields }))).toMatchObject({ ok: false, code, id: 'm1' });
  });

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => new TextEncoder().encode(text)),
        ),
        (bytes) => {
          const parsed = parseIntentMessage(bytes);
          if (!parsed.ok) expect(parsed.reason.length).toBeLessThan(600);
        },
      ),
    );
  });
});
