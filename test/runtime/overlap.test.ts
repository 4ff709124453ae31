/** Transfers go on while devices compute, and leave nothing behind. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openBundle } from '../../runtime/bundle.ts';
import { stream } from '../../runtime/stream.ts';
import { collect } from '../support/collect.ts';
import { channel, type Fixture, given, ROUND_TRIP, removeBuilds, withProgram, writeBuild } from './fixture.ts';
import { closeAll, open, Ports } from './together.ts';

const test = suite('overlap');
test.after.each(closeAll);
test.after(removeBuilds);

/** The fixture with channels of so many elements. */
const wide = (elements: number): Fixture => ({
  ...ROUND_TRIP,
  channels: [channel(0, 'robot', 'server'), channel(1, 'server', 'robot')].map((one) => ({
    ...one,
    shape: [elements],
  })),
});
const big = (elements: number) =>
  `{ type: 'float32', dims: [${elements}], data: new Float32Array(${elements}).fill(3) }`;
const RETURN = 'return { y: (await device.segment(0, [inputs.x]))[0] };';

/**
 * The robot sends so many elements and holds its event loop until the server has them.
 * @param then what it does in between
 */
async function holdsUntilArrived(elements: number, then: string): Promise<void> {
  const robot = `
    const { existsSync } = await import('node:fs');
    device.send('server', 0, ${big(elements)});
    ${then}
    const pause = new Int32Array(new SharedArrayBuffer(4));
    const end = Date.now() + 15_000;
    while (!existsSync(process.env.ARRIVED)) {
      if (Date.now() > end) throw new Error('nothing left while the event loop was held');
      Atomics.wait(pause, 0, 0, 5);
    }
    ${RETURN}`;
  const server = `
    const { writeFileSync } = await import('node:fs');
    const { data } = await device.receive('robot', 0);
    if (data[data.length - 1] === 3) writeFileSync(process.env.ARRIVED, '');
    return {};`;
  const build = await writeBuild(withProgram(withProgram(wide(elements), 'robot', robot), 'server', server));
  process.env.ARRIVED = join(build, 'arrived');
  const bundle = await openBundle(build, { timeout: 20 });
  delete process.env.ARRIVED;
  assert.ok((await bundle.infer(given(1, 2, 3, 4))).outputs.y);
  await bundle.close();
}

test('what was handed over leaves while the event loop is held, as onnxruntime holds it', () =>
  holdsUntilArrived(4 << 20, ''));

test('a small tensor too leaves before a segment runs', () => holdsUntilArrived(4, 'device.segment(0, [inputs.x]);'));

/** Bytes that this process holds, by where. */
async function held(): Promise<Readonly<Record<'heapUsed' | 'external' | 'arrayBuffers', number>>> {
  await collect();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { heapUsed, external, arrayBuffers };
}

test('hundreds of inferences with several in flight: heap and buffers do not grow', async () => {
  const elements = 50_000;
  const robot = `device.send('server', 0, ${big(elements)}); await device.receive('server', 1); ${RETURN}`;
  const echo = `device.send('robot', 1, await device.receive('robot', 0)); return {};`;
  const build = await writeBuild(withProgram(withProgram(wide(elements), 'robot', robot), 'server', echo));
  const ports = new Ports();
  const [robotDevice] = await Promise.all([
    open({ build, device: 'robot', transport: ports.transport('robot', ['server']), inFlight: 4 }),
    open({ build, device: 'server', transport: ports.transport('server', []) }),
  ]);
  const run = async (count: number) => {
    for await (const _ of stream(count, 4, () => robotDevice.infer(given(1, 2, 3, 4))));
    return held();
  };
  const before = await run(50);
  const after = await run(450);
  // One tensor an inference that is kept would be 90 MB.
  const bounds = { heapUsed: 2 << 20, external: 8 << 20, arrayBuffers: 8 << 20 };
  for (const [where, most] of Object.entries(bounds) as [keyof typeof bounds, number][]) {
    const grown = after[where] - before[where];
    assert.ok(grown < most, `${where} grew by ${grown} bytes`);
  }
});

test.run();
