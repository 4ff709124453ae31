/** `npm run conformance -- DIR`: ONNX's backend test cases, every operator split over the devices wherever the table allows. */
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { findCases } from './cases.ts';
import type { Outcome } from './run-case.ts';
import { runAll } from './workers.ts';

const USAGE = `npm run conformance -- DIR [options]

DIR holds folders with model.onnx and test_data_set_N/{input,output}_K.pb, at any depth.

  --devices N    how many each model is split over (2)
  --filter TEXT  only cases whose name contains it
  --turn N       other letters and devices for every operator (0)
  --policy NAME  plan as \`shardonnx compile\` does, instead of splitting every operator
  --jobs N       processes (this machine's cores)
  --json         print one JSON object
  --verbose      list every operator that ran whole, and why
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    devices: { type: 'string', default: '2' },
    filter: { type: 'string', default: '' },
    turn: { type: 'string', default: '0' },
    policy: { type: 'string' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    json: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function usage(message = ''): never {
  process.stderr.write(`${message && `${message}\n\n`}${USAGE}`);
  process.exit(message ? 1 : 0);
}

function whole(flag: 'devices' | 'turn' | 'jobs', least: number): number {
  const value = Number(values[flag]);
  return Number.isSafeInteger(value) && value >= least
    ? value
    : usage(`--${flag} takes a whole number from ${least} on`);
}

/** `split`, or why not. */
function kindOf({ status, split, reasons, error }: Outcome): string {
  if (status !== 'passed') return error ?? '';
  if (split) return 'split';
  const distinct = [...new Set(reasons.map(({ type, reason }) => `${type}: ${reason}`))];
  return `whole (${distinct.join('; ')})`;
}

function print(outcome: Outcome): void {
  const mark = { passed: 'ok  ', failed: 'FAIL', unsupported: 'none' }[outcome.status];
  process.stdout.write(`${mark} ${outcome.name}  ${kindOf(outcome)}\n`);
  if (!values.verbose) return;
  for (const { operator, type, reason } of outcome.reasons)
    process.stdout.write(`       ${type} "${operator}": ${reason}\n`);
}

if (values.help) usage();
if (positionals.length !== 1) usage('name one folder');
const cases = findCases(resolve(positionals[0]!)).filter(({ name }) => name.includes(values.filter));
if (cases.length === 0)
  usage(`${positionals[0]} holds no case${values.filter && ` whose name contains ${values.filter}`}`);
const options = { devices: whole('devices', 1), turn: whole('turn', 0), policy: values.policy ?? null };
const began = performance.now();
const outcomes = await runAll(cases, options, whole('jobs', 1), (outcome) => {
  if (!values.json) print(outcome);
});

const count = (test: (outcome: Outcome) => boolean) => outcomes.filter(test).length;
const totals = {
  passed: count(({ status }) => status === 'passed'),
  failed: count(({ status }) => status === 'failed'),
  split: count(({ status, split }) => status === 'passed' && split),
  whole: count(({ status, split }) => status === 'passed' && !split),
  unsupported: count(({ status }) => status === 'unsupported'),
};
if (values.json) process.stdout.write(`${JSON.stringify({ ...totals, cases: outcomes })}\n`);
else {
  const { passed, failed, split, unsupported } = totals;
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  process.stdout.write(
    `${options.devices} devices: ${passed} passed (${split} split, ${totals.whole} whole), ${failed} failed, ` +
      `${unsupported} unsupported by onnxruntime; ${seconds} s\n` +
      `${passed} passed, ${failed} failed\n`,
  );
}
process.exitCode = totals.failed > 0 ? 1 : 0;
