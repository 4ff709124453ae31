/**
 * Two devices at work on shared rows, to which something happens again and again (--runs, --seed): one is killed, stopped for a
 * while or restarted in good order, or their link is cut. Every answer is compared with onnxruntime's on the whole model.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { compile } from '../../compiler/compile.ts';
import { randomTensor, readDeviceManifest } from '../../runtime/index.ts';
import { generator } from '../../runtime/random.ts';
import { pidsOf } from '../runtime/process.ts';
import { clusterOf, imported, modelFile, planOf } from '../support/imported.ts';
import { reference } from '../support/reference.ts';
import { IN_FLIGHT, KINDS, type Kind, Pair, TIMEOUT, within } from './faults/pair.ts';
import { type Counts, HANGS, Tally } from './faults/tally.ts';
import { SEEDS } from './feeder.ts';
import { flag, report, summarise, temporaryFolder } from './measure.ts';

const runs = flag('--runs', 200);
const draw = generator(flag('--seed', 1));
/** Seconds after a fault until which the two have to be at work together again. */
const RECOVERS = 60;
const MODEL = 'mlp';
const FALLBACK = 'with fallback';
const NAMES = ['one plan', FALLBACK];

const EVENTS = ['start', ...KINDS] as const;

interface Run {
  readonly build: string;
  readonly kind: (typeof EVENTS)[number];
  readonly counts: Counts;
  /** Infinite: they did not. */
  readonly recovery: number;
}

/** The first layer's columns on two devices. */
async function build(output: string, name: string): Promise<string> {
  const program = await imported(MODEL);
  const columns = [
    { device: 'a', region: '[:,0:80]' },
    { device: 'b', region: '[:,80:128]' },
  ];
  const plan = planOf(program, { fc1: columns, relu1: columns }, 'b');
  const cluster = clusterOf({ a: 1, b: 1 });
  const how = name === FALLBACK ? { several: { plans: [plan], fallback: true } } : { plan };
  await compile({ model: modelFile(MODEL), cluster, output, ...how });
  return output;
}

/** By seed. */
async function answers(folder: string) {
  const { inputs } = await readDeviceManifest(`${folder}/a`);
  const seeds = Array.from({ length: SEEDS }, (_, seed) => seed);
  return Promise.all(
    seeds.map((seed) =>
      reference(modelFile(MODEL), Object.fromEntries(inputs.map((spec) => [spec.name, randomTensor(spec, seed)]))),
    ),
  );
}

/** So many faults, one after the other, of the same two devices. */
async function faults(name: string, folder: string, kinds: readonly Kind[]) {
  const tally = new Tally(await answers(folder), IN_FLIGHT);
  const done: Run[] = [];
  const watch = setInterval(() => tally.watch(), 100);
  const broken: string[] = [];
  let pair: Pair | undefined;
  /** What happens, and how long it takes until both are at work. */
  const recover = async (kind: Run['kind'], happens: () => Promise<void>) => {
    tally.countAnew();
    const began = performance.now();
    await happens();
    // Only now: a device that stops in good order still answers.
    await within(RECOVERS, `${name}: both at work after ${kind}`, tally.recovery()).catch((error) => {
      broken.push(String(error));
    });
    done.push({ build: name, kind, counts: tally.counts, recovery: performance.now() - began });
  };
  try {
    await recover('start', async () => {
      pair = await Pair.open(folder, tally);
    });
    for (const kind of kinds) {
      if (broken.length > 0) break;
      await sleep(500 * draw());
      await recover(kind, async () => pair?.suffer(kind, draw));
    }
    if (broken.length === 0) await pair?.close();
  } catch (error) {
    broken.push(String(error));
  } finally {
    clearInterval(watch);
    pair?.kill();
  }
  await sleep(200);
  const leftover = pidsOf(folder).length;
  return { done, broken: [...broken, ...(pair?.disorderly ?? [])], leftover };
}

/** Of runs of the same build and kind; none of none. */
function rowOf(own: readonly Run[]) {
  const [first] = own;
  if (!first) return [];
  const sum = (of: (counts: Counts) => number) => own.reduce((total, { counts }) => total + of(counts), 0);
  const { median, quartiles } = summarise(own.map(({ recovery }) => recovery / 1e3));
  return [
    {
      build: first.build,
      fault: first.kind,
      runs: own.length,
      right: sum(({ right }) => right),
      wrong: sum(({ wrong }) => wrong),
      'failed clearly': sum(({ failed }) => Object.values(failed).reduce((a, b) => a + b, 0)),
      unclear: sum(({ unclear }) => unclear),
      hangs: sum(({ hangs }) => hangs),
      'died with the caller': sum(({ gone }) => gone),
      'recovery, s': `${median.toFixed(2)} (${quartiles.map((q) => q.toFixed(2)).join('–')})`,
    },
  ];
}

/** How often each code was told. */
function codesOf(own: readonly Run[]): string {
  const codes = new Map<string, number>();
  for (const { counts } of own) {
    for (const [code, count] of Object.entries(counts.failed)) codes.set(code, (codes.get(code) ?? 0) + count);
  }
  return [...codes].map(([code, count]) => `${count} ${code}`).join(', ');
}

/** Each kind as often as the others, in a drawn order. */
const shuffled = (count: number): Kind[] =>
  Array.from({ length: count }, (_, i) => ({ kind: KINDS[i % KINDS.length]!, order: draw() }))
    .sort((a, b) => a.order - b.order)
    .map(({ kind }) => kind);

const folder = temporaryFolder();
const all: Run[] = [];
const notes: string[] = [];
let leftovers = 0;
for (const [i, name] of NAMES.entries()) {
  const share = Math.floor((runs + 1 - i) / NAMES.length);
  const { done, broken, leftover } = await faults(name, await build(`${folder}/${i}`, name), shuffled(share));
  all.push(...done);
  leftovers += leftover;
  notes.push(...broken, `${name}, failed with: ${codesOf(done) || 'nothing'}`);
  if (broken.length > 0) process.exitCode = 1;
}
const rows = NAMES.flatMap((name) =>
  EVENTS.map((kind) => all.filter((run) => run.build === name && run.kind === kind)).flatMap(rowOf),
);
if (leftovers > 0 || rows.some((row) => row.wrong + row.unclear + row.hangs > 0)) process.exitCode = 1;
// What the plan without a peer is for.
if (rows.some((row) => row.build === FALLBACK && row['failed clearly'] > 0)) process.exitCode = 1;
report(
  rows,
  `calls: ${IN_FLIGHT} at once; those without an end after ${HANGS} s hang; devices wait ${TIMEOUT} s. recovery: from the fault, what it lasts included, to the next right answer by both: median (quartiles). leftover processes: ${leftovers}. ${notes.join('; ')}`,
);
