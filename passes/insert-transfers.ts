/**
 * Joins devices: a value that is read on another device than it was made on crosses a channel, once.
 *
 *     a: %h[:,:,4:5,:] = assemble(%h[:,:,4:8,:]) ; conv2
 *     b: %h[:,:,0:5,:] = assemble(%h[:,:,0:4,:], %h[:,:,4:5,:]) ; conv2
 *
 *     a: %h[:,:,4:5,:] = assemble(%h[:,:,4:8,:]) ; conv2
 *     a: send %h[:,:,4:5,:] to b on 0 ; conv2
 *     b: %h[:,:,4:5,:] = recv from a on 0 ; conv2
 *     b: %h[:,:,0:5,:] = assemble(%h[:,:,0:4,:], %h[:,:,4:5,:]) ; conv2
 */
import { type Cluster, linkBetween } from '../compiler/cluster/cluster.ts';
import { CompileError } from '../compiler/error.ts';
import type { Operator, Value } from '../compiler/ir/program.ts';
import { reads, tensorOf, valueKey, wholeValue, writes } from '../compiler/ir/program.ts';
import type { Pass } from '../compiler/pass.ts';

/** The maker that is linked to the reader; the earliest where several are. */
function sourceOf(cluster: Cluster, makers: readonly string[], reader: string, value: Value, origin: string): string {
  const source = makers.find((maker) => linkBetween(cluster, maker, reader));
  if (source) return source;
  throw new CompileError('no-link', `${value.tensor} must go from ${makers[0]} to ${reader}, and no link joins them`, {
    at: [`cluster`, `node "${origin}"`],
    hint: `add a link between ${makers[0]} and ${reader}, or plan without ${reader}`,
  });
}

export const insertTransfers: Pass<'assembled', 'linked'> = {
  name: 'insert-transfers',
  from: 'assembled',
  to: 'linked',
  run(program, { cluster }) {
    const { inputs, outputs } = program.placement!;
    const makers = new Map<string, string[]>();
    const operators: Operator[] = [];
    let channel = 0;
    const make = (device: string, value: Value) => {
      const key = valueKey(value);
      const devices = makers.get(key) ?? [];
      if (!devices.includes(device)) devices.push(device);
      makers.set(key, devices);
    };
    const provide = (device: string, value: Value, origin: string) => {
      if (tensorOf(program, value.tensor).role === 'weight') return;
      const devices = makers.get(valueKey(value)) ?? [];
      if (devices.includes(device)) return;
      const from = sourceOf(cluster, devices, device, value, origin);
      operators.push({ kind: 'send', device: from, to: device, channel, value, origin });
      operators.push({ kind: 'receive', device, from, channel, value, origin });
      channel += 1;
      make(device, value);
    };
    for (const name of program.inputs) make(inputs, wholeValue(tensorOf(program, name)));
    for (const operator of program.operators) {
      for (const value of reads(operator)) provide(operator.device!, value, operator.origin);
      operators.push(operator);
      for (const value of writes(operator)) make(operator.device!, value);
    }
    for (const name of program.outputs) provide(outputs, wholeValue(tensorOf(program, name)), name);
    return { ...program, stage: 'linked', operators };
  },
};
