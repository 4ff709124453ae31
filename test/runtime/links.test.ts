/** How fast links are: from frames that were seen when they came and those that were not, and from probes, sent only where needed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Arrivals, bandwidthOf, Recent, type Sample } from '../../runtime/bandwidth.ts';
import { Links } from '../../runtime/links.ts';
import type { DeviceManifest } from '../../runtime/manifest.ts';
import { Peers } from '../../runtime/peers.ts';
import type { PeerFrame } from '../../runtime/transport.ts';

const test = suite('links');
const OFFSET = -123_456;
const LATENCY = 3;
const MEGABYTE = 1e6;

const near = (actual: number | null | undefined, expected: number) =>
  assert.ok(Math.abs((actual ?? 0) / expected - 1) < 0.01, `${actual}, expected ${expected}`);
const rateOf = (sample: ReturnType<Arrivals['took']>) => sample && sample.bytes / sample.seconds;

/** Of which the latency is known. */
function arrivals(): Arrivals {
  const made = new Arrivals();
  assert.is(made.took(0, 1000, 1000 + OFFSET + LATENCY, true), null);
  return made;
}

test('a frame tells the bandwidth by what it takes beyond the least delay, whatever the clocks say', () => {
  const own = arrivals();
  for (let i = 0; i < 20; i++) {
    const sent = 2000 + 100 * i;
    // Two frames at once: the second waits for the first.
    near(rateOf(own.took(20_000, sent, sent + OFFSET + LATENCY + 20, true)), MEGABYTE);
    near(rateOf(own.took(10_000, sent, sent + OFFSET + LATENCY + 30, true)), MEGABYTE);
    assert.is(own.took(50_000, sent + 40, sent + OFFSET + 99, false), null, 'it may have come before it was seen');
    assert.is(own.took(100, sent + 50, sent + OFFSET + 99, true), null, 'too small');
  }
});

test('a frame behind others that were seen too late tells it together with them', () => {
  const own = arrivals();
  const [sent, came] = [2000, 2000 + OFFSET + LATENCY];
  // Four frames at once, 20 ms each. The device computes until 55 ms: two are seen then.
  assert.is(own.took(20_000, sent, came + 55, false), null);
  assert.is(own.took(20_000, sent, came + 55, false), null);
  near(rateOf(own.took(20_000, sent, came + 60, true)), MEGABYTE);
  near(rateOf(own.took(20_000, sent, came + 80, true)), MEGABYTE);
  // Here the link was free again when the last one was sent.
  assert.is(own.took(20_000, sent + 100, came + 300, false), null);
  near(rateOf(own.took(20_000, sent + 400, came + 410, true)), 2 * MEGABYTE);
});

test('frames that are seen at once after an event loop was late tell the bandwidth together', () => {
  const own = arrivals();
  const [sent, came] = [2000, 2000 + OFFSET + LATENCY];
  own.took(0, sent, came + 45, true);
  // 20 ms each, seen at 45 ms: of the first one it cannot be told that it came before.
  near(rateOf(own.took(20_000, sent, came + 45, true)), (20 / 45) * MEGABYTE);
  near(rateOf(own.took(20_000, sent, came + 45.1, true)), (40 / 45) * MEGABYTE);
  near(rateOf(own.took(20_000, sent, came + 60, true)), (20 / 15) * MEGABYTE);
});

const sample = (bytes: number, rate: number): Sample => ({ bytes, seconds: bytes / rate });

test('what counts is the latest inference that told something, and there what most bytes say', () => {
  const [from, to] = [new Recent(), new Recent()];
  assert.is(bandwidthOf([from, to]), null);
  to.add(sample(400_000, MEGABYTE), 0);
  near(bandwidthOf([from, to]), MEGABYTE);
  to.begins();
  near(bandwidthOf([from, to]), MEGABYTE);
  to.add(sample(20_000, 10 * MEGABYTE), 100);
  near(bandwidthOf([from, to]), 10 * MEGABYTE);
  // One was held up, by something else than the link.
  for (const rate of [MEGABYTE, 11 * MEGABYTE, 10 * MEGABYTE]) to.add(sample(20_000, rate), 110);
  near(bandwidthOf([from, to]), 10 * MEGABYTE);
  from.add(sample(500_000, 2 * MEGABYTE), 900);
  near(bandwidthOf([from, to]), 2 * MEGABYTE);
  to.begins();
  to.add(sample(20_000, 5 * MEGABYTE), 5000);
  near(bandwidthOf([from, to]), 5 * MEGABYTE);
});

/** Links of device a (or b) to the other one, what is sent over them, and a clock that stands still unless it is put on. */
function linksOf(device: string, chooser: string | null) {
  const manifest: DeviceManifest = {
    format: 1,
    build: '',
    device,
    devices: ['a', 'b'],
    inputDevice: 'a',
    outputDevice: 'a',
    inputs: [],
    outputs: [],
    channels: [],
    segments: [],
    files: {},
    threads: 1,
  };
  const sent: PeerFrame[] = [];
  const transport = {
    inProcess: false,
    open: async () => {},
    close: async () => {},
    letGo: () => {},
    send: (_: string, frame: PeerFrame | { readonly kind: 'bye' }) => void (frame.kind !== 'bye' && sent.push(frame)),
  };
  const peers = new Peers(manifest, transport);
  peers.join(device === 'a' ? 'b' : 'a');
  const time = { ms: 10_000 };
  const links = new Links(peers, chooser, () => time.ms);
  return { links, time, sent: () => sent.splice(0) };
}

const probesIn = (frames: readonly PeerFrame[]) =>
  frames.flatMap((frame) => (frame.kind === 'probe' ? [frame.bytes] : []));

/** Device b says at `ms` how fast what device a has sent came, all that it sent before `until`. */
const tell = (links: Links, ms: number, { bytes, seconds }: Sample, until = ms) =>
  links.told('b', { kind: 'rate', sent: ms, bytes, seconds, until }, true);

test('a link that an inference does not use is probed before it, one probe at a time, and not all of the time', () => {
  const { links, time, sent } = linksOf('a', null);
  links.watch();
  links.begins(['a']);
  assert.equal(probesIn(sent()), [0, 16_384, 16_384]);
  let probed = time.ms;
  // A tensor of another plan.
  tell(links, time.ms, sample(100_000, MEGABYTE), probed - 50);
  // Each half took 100 ms: nothing for three times as long as both.
  for (let half = 0; half < 2; half++) {
    time.ms += 100;
    links.begins(['a']);
    assert.equal(sent(), [], 'the first one is under way');
    tell(links, time.ms, sample(16_384, 163_840), probed);
  }
  near(links.bandwidth, 163_840);
  time.ms += 300;
  links.begins(['a']);
  assert.equal(sent(), []);
  time.ms += 200;
  links.begins(['a']);
  assert.equal(probesIn(sent()), [0, 16_384, 16_384]);
  probed = time.ms;
  for (let half = 0; half < 2; half++) tell(links, time.ms, sample(16_384, 2 * MEGABYTE), probed);
  near(links.bandwidth, 2 * MEGABYTE);
  time.ms += 100;
  links.begins(['a']);
  assert.equal(probesIn(sent()), [0, 20_000, 20_000], 'one that takes about 20 ms');
  links.close();
});

test('a link that an inference uses is probed only where its tensors have told nothing for a second', () => {
  const { links, time, sent } = linksOf('a', null);
  links.watch();
  for (let i = 0; i < 5; i++) {
    tell(links, time.ms, sample(100_000, 2 * MEGABYTE));
    time.ms += 300;
    links.begins(['a', 'b']);
  }
  assert.equal(sent(), []);
  time.ms += 800;
  links.begins(['a', 'b']);
  assert.equal(probesIn(sent()), [0, 20_000, 20_000]);
  links.close();
});

test('who chooses plans is told of every large frame at once, and gets an answer to every probe', () => {
  const { links, time, sent } = linksOf('b', 'a');
  links.took('a', 0, time.ms - LATENCY, true);
  assert.equal(sent(), []);
  time.ms += 20;
  const until = time.ms - 20 - LATENCY;
  links.took('a', 20_000, until, true);
  assert.equal(sent(), [{ kind: 'rate', sent: time.ms, bytes: 20_000, seconds: 0.02, until }]);
  links.probed('a', { kind: 'probe', bytes: 0, sent: time.ms }, true);
  links.probed('a', { kind: 'probe', bytes: 20_000, sent: time.ms }, false);
  assert.equal(sent(), [{ kind: 'rate', sent: time.ms, bytes: 0, seconds: 0, until: time.ms }]);
});

test('of what was sent, and not yet said to have come, it is known when it should', () => {
  const { links, time } = linksOf('a', null);
  const begin = time.ms;
  links.sent('b', 0, 1, begin);
  links.watch();
  assert.is(links.untilThere(1, ['a', 'b']), null, 'nothing was sent by whoever chooses plans');
  for (let i = 0; i < 4; i++) links.sent('b', 1, 100_000, begin + i);
  links.sent('b', 2, 500_000, begin + 4);
  assert.is(links.untilThere(1, ['a', 'b']), null, 'no rate is known');
  time.ms += 100;
  tell(links, time.ms, sample(100_000, MEGABYTE), begin);
  near(links.untilThere(1, ['a', 'b']), 300);
  near(links.untilThere(2, ['a', 'b']), 800);
  assert.is(links.untilThere(1, ['a']), null, 'another link');
  // Now it has become slow; and two have come, of which only the last was seen.
  time.ms += 200;
  tell(links, time.ms, sample(100_000, MEGABYTE / 2), begin + 2);
  near(links.untilThere(1, ['a', 'b']), 200);
  time.ms += 250;
  near(links.untilThere(1, ['a', 'b']), -50);
  // What tells no rate tells what has come.
  tell(links, time.ms, { bytes: 0, seconds: 0 }, begin + 3);
  assert.is(links.untilThere(1, ['a', 'b']), 0);
  near(links.untilThere(2, ['a', 'b']), 1000);
  time.ms += 30;
  tell(links, time.ms, sample(16_384, MEGABYTE), begin + 3);
  assert.is(links.untilThere(1, ['a', 'b']), -30, 'a probe does not make it later');
  assert.not(links.areBehind(['a', 'b'], (inference) => inference === 2));
  assert.ok(
    links.areBehind(['a', 'b'], () => false),
    'it was given up',
  );
  links.sent('b', 3, 1000, time.ms);
  links.sent('b', 4, 1000, time.ms);
  links.finished(3, ['a', 'b']);
  assert.not(
    links.areBehind(['a', 'b'], (inference) => inference === 4),
    'what was sent before has come, too',
  );
  links.finished(5, ['a', 'b']);
  assert.ok(links.areBehind(['a', 'b'], () => false));
  assert.not(
    links.areBehind(['a'], () => false),
    'another link',
  );
  links.forget('b');
  assert.is(links.untilThere(2, ['a', 'b']), null);
  links.close();
});

test('a probe in flight is forgotten when its peer goes: the one that comes back is probed at once', () => {
  const { links, sent } = linksOf('a', null);
  links.watch();
  links.begins(['a']);
  assert.is(probesIn(sent()).length, 3);
  links.begins(['a']);
  assert.is(probesIn(sent()).length, 0);
  links.forget('b');
  links.begins(['a']);
  assert.is(probesIn(sent()).length, 3);
  links.close();
});

test.run();
