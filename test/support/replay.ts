/** Runs a schedule's steps without time or arithmetic: what each device holds, and that all of them come to an end. */
import * as assert from 'uvu/assert';
import { isDequantize, reads, tensorOf, type Value, valueKey, wholeValue, writes } from '../../compiler/ir/program.ts';
import type { Schedule, Step } from '../../compiler/planning/schedule.ts';

/** Fails where a step needs what its device does not hold yet, where devices wait for each other, or where work is done twice or for nobody. */
export function replay({ program, devices }: Schedule): void {
  const { inputs, outputs } = program.placement!;
  const held = new Map(devices.map(({ device }) => [device, new Set<string>()]));
  const sent = new Map<number, string>();
  const position = new Map(devices.map(({ device }) => [device, 0]));
  const wholes = (names: readonly string[]) => names.map((name) => wholeValue(tensorOf(program, name)));
  for (const value of wholes(program.inputs)) held.get(inputs)!.add(valueKey(value));

  const has = (device: string, value: Value) => {
    const isWeight = tensorOf(program, value.tensor).role === 'weight';
    assert.ok(isWeight || held.get(device)!.has(valueKey(value)), `${device} holds ${valueKey(value)}`);
  };
  const execute = (device: string, step: Step): boolean => {
    const own = held.get(device)!;
    if (step.kind === 'send') {
      has(device, step.value);
      sent.set(step.channel, `${step.to} ${valueKey(step.value)}`);
    } else if (step.kind === 'receive') {
      if (!sent.has(step.channel)) return false;
      assert.is(sent.get(step.channel), `${device} ${valueKey(step.value)}`);
      own.add(valueKey(step.value));
    } else {
      // A segment sees its inputs and what its own operators make, and leaves only its outputs.
      for (const value of step.inputs) has(device, value);
      const inside = new Set(step.inputs.map(valueKey));
      for (const operator of step.operators) {
        for (const value of reads(operator)) {
          const isWeight = tensorOf(program, value.tensor).role === 'weight';
          assert.ok(
            isWeight || inside.has(valueKey(value)),
            `segment ${step.index} of ${device} has ${valueKey(value)}`,
          );
        }
        for (const value of writes(operator)) inside.add(valueKey(value));
      }
      assert.ok(step.outputs.length > 0, `segment ${step.index} of ${device} makes what somebody reads`);
      for (const value of step.outputs) {
        assert.ok(inside.has(valueKey(value)) || tensorOf(program, value.tensor).role === 'weight');
        own.add(valueKey(value));
      }
    }
    return true;
  };
  for (let moved = true; moved; ) {
    moved = false;
    for (const { device, steps } of devices) {
      for (let at = position.get(device)!; at < steps.length && execute(device, steps[at]!); ) {
        position.set(device, ++at);
        moved = true;
      }
    }
  }
  for (const { device, steps } of devices) assert.is(position.get(device), steps.length, `${device} comes to its end`);
  for (const value of wholes(program.outputs)) has(outputs, value);
  const done = devices.flatMap(({ steps }) => steps.flatMap((step) => (step.kind === 'segment' ? step.operators : [])));
  const once = done.filter(
    (operator) =>
      !isDequantize(operator) && writes(operator).every(({ tensor }) => tensorOf(program, tensor).dtype !== null),
  );
  assert.is(new Set(once).size, once.length, 'no operator runs twice, but those whose values stay in a session');
}
