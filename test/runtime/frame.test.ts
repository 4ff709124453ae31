/** Frames: what goes in comes out, and nothing that comes from outside throws. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bytesPerElement, dtypes } from '../../runtime/dtype.ts';
import { decodeFrame, decodeMessage, encodeFrame, type Frame, PROTOCOL } from '../../runtime/frame.ts';
import { elements, tensorOver } from '../../runtime/tensor.ts';

const test = suite('frame');

const inference = fc.integer({ min: 0, max: 2 ** 48 - 2 });

const tensor = fc
  .record({ dtype: fc.constantFrom(...dtypes), dims: fc.array(fc.nat({ max: 5 }), { maxLength: 5 }), seed: fc.nat() })
  .map(({ dtype, dims, seed }) => {
    const count = elements(dims);
    const strings = Array.from({ length: count }, (_, i) => `é${(seed + i) % 7}`);
    const bytes = Uint8Array.from({ length: count * bytesPerElement(dtype) }, (_, i) => (seed * 31 + i * 7) % 256);
    const made = tensorOver(dtype, dims, dtype === 'string' ? Buffer.from(JSON.stringify(strings)) : bytes);
    assert.ok(made);
    return made;
  });

const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(fields, { noNullPrototype: true });

const frame: fc.Arbitrary<Frame> = fc.oneof(
  record({ kind: fc.constantFrom('start' as const, 'done' as const), inference }),
  record({ kind: fc.constantFrom('bye' as const, 'ping' as const, 'pong' as const) }),
  record({ kind: fc.constantFrom('check' as const, 'ready' as const), token: inference }),
  record({ kind: fc.constant('tensor' as const), inference, channel: fc.nat({ max: 2 ** 32 - 1 }), tensor }),
  record({
    kind: fc.constant('abort' as const),
    inference: fc.option(inference),
    device: fc.string(),
    code: fc.string(),
    message: fc.string(),
  }),
  record({
    kind: fc.constant('hello' as const),
    protocol: fc.nat({ max: 255 }),
    build: fc.string(),
    device: fc.string(),
    instance: fc.string(),
    next: inference,
  }),
  record({
    kind: fc.constant('rate' as const),
    sent: fc.nat(),
    bytes: fc.nat(),
    seconds: fc.double({ noNaN: true, noDefaultInfinity: true }),
    until: fc.double({ noNaN: true, noDefaultInfinity: true }),
  }),
  record({ kind: fc.constant('probe' as const), bytes: fc.nat({ max: 1000 }), sent: fc.nat() }),
  record({ kind: fc.constant('reject' as const), code: fc.string(), message: fc.string() }),
);

test('a frame survives the journey', () => {
  fc.assert(fc.property(frame, (given) => isDeepStrictEqual(decodeFrame(encodeFrame(given)), given)));
});

test('a message is the frames that were put into it', () => {
  const some = fc.array(frame, { minLength: 1, maxLength: 5 });
  fc.assert(fc.property(some, (given) => isDeepStrictEqual(decodeMessage(given.flatMap(encodeFrame)), given)));
  const [header, payload] = encodeFrame({ kind: 'ping' });
  for (const parts of [[], [header], [header, payload, header]]) {
    assert.equal(
      decodeMessage(parts).map(({ kind }) => kind),
      ['malformed'],
    );
  }
});

test('a large payload is not copied', () => {
  const data = new Float32Array(100_000).fill(1.5);
  const [header, payload] = encodeFrame({
    kind: 'tensor',
    inference: 0,
    channel: 1,
    tensor: { type: 'float32', dims: [100_000], data },
  });
  assert.is(payload.buffer, data.buffer);
  const back = decodeFrame([header, payload]);
  assert.ok(back.kind === 'tensor' && back.tensor.data instanceof Float32Array);
  assert.is(back.tensor.data.buffer, data.buffer);
});

test('random bytes are malformed or a frame, and never throw', () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 4 });
  fc.assert(fc.property(parts, (bytes) => assert.type(decodeFrame(bytes).kind, 'string')));
});

test('a damaged frame never throws, and a tensor that is let through is whole', () => {
  const damage = fc.record({ frame, at: fc.nat({ max: 60 }), byte: fc.nat({ max: 255 }), cut: fc.nat({ max: 20 }) });
  fc.assert(
    fc.property(damage, ({ frame, at, byte, cut }) => {
      const [header, payload] = encodeFrame(frame).map((part) => Uint8Array.from(part));
      assert.ok(header && payload);
      if (at < header.length) header[at] = byte;
      const back = decodeFrame([header, payload.subarray(0, Math.max(0, payload.length - cut))]);
      if (back.kind === 'tensor') assert.is(back.tensor.data.length, elements(back.tensor.dims));
    }),
    { numRuns: 1000 },
  );
});

test('hello and reject are understood in every protocol version, nothing else is', () => {
  const other = (given: Frame) => {
    const [header, payload] = encodeFrame(given);
    header[2] = PROTOCOL + 1;
    return decodeFrame([header, payload]).kind;
  };
  assert.is(other({ kind: 'hello', protocol: PROTOCOL, build: 'b', device: 'd', instance: 'i', next: 7 }), 'hello');
  assert.is(other({ kind: 'reject', code: 'c', message: 'm' }), 'reject');
  assert.is(other({ kind: 'start', inference: 0 }), 'malformed');
});

test('a dtype, rank or length that does not fit is told with the inference', () => {
  const make = () =>
    encodeFrame({
      kind: 'tensor',
      inference: 7,
      channel: 1,
      tensor: { type: 'int64', dims: [2], data: new BigInt64Array(2) },
    });
  const cases: [(header: Buffer) => void, RegExp][] = [
    [(header) => header.writeUInt8(99, 10), /unknown dtype 99/],
    [(header) => header.writeUInt8(3, 11), /for rank 3/],
    [(header) => header.writeUInt32LE(3, 16), /16 bytes for int64 \[3\]/],
  ];
  for (const [spoil, reason] of cases) {
    const [header, payload] = make();
    spoil(header);
    const back = decodeFrame([header, payload]);
    assert.ok(back.kind === 'malformed');
    assert.match(back.reason, reason);
    assert.is(back.inference, 7);
  }
});

test.run();
