/** Reads the workload of a build. */
import { CompileError } from '../../error.ts';
import { describeIssues } from '../../issues.ts';
import { simulateOne } from './in-flight.ts';
import { type Workload, workloadFile } from './workload.ts';

/** What does not fit together, if anything: every channel has one send where it begins and one receive where it ends. */
function contradiction({ devices, channels }: Workload): string | undefined {
  const names = devices.map((one) => one.device);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) return `there are two devices ${twice}`;
  const ends = (kind: 'send' | 'receive') =>
    devices.flatMap(({ device: name, steps }) =>
      steps.flatMap((one) => (one.kind === kind ? [`${one.id} ${name}`] : [])),
    );
  const expected = {
    send: channels.map(({ id, from }) => `${id} ${from}`),
    receive: channels.map(({ id, to }) => `${id} ${to}`),
  };
  for (const kind of ['send', 'receive'] as const) {
    const [is, should] = [ends(kind).sort(), expected[kind].sort()];
    const at = should.findIndex((one, i) => one !== is[i]);
    if (at >= 0 || is.length > should.length) return `its ${kind} steps are not those of its channels`;
  }
  if (new Set(channels.map(({ id }) => id)).size < channels.length) return 'two channels have one id';
  return undefined;
}

/** A workload as a build has it, in timeline.json. @throws timeline */
export function parseWorkload(text: string, where: string): Workload {
  const fail = (message: string, cause?: unknown): never => {
    throw new CompileError('timeline', message, { at: [where], cause, hint: 'compile the model again' });
  };
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (cause) {
    return fail(`not JSON: ${cause instanceof Error ? cause.message : cause}`, cause);
  }
  const result = workloadFile.safeParse(data);
  if (!result.success) return fail(describeIssues(result.error));
  const wrong = contradiction(result.data);
  if (wrong !== undefined) return fail(wrong);
  try {
    simulateOne(result.data);
  } catch (cause) {
    return fail('its steps wait for each other', cause);
  }
  return result.data;
}
