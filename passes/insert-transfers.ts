/**
 * Joins devices: a value that is read on another device than it was made on crosses a channel, once, as soon as it is made.
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
import { listAt } from '../compiler/ir/lists.ts';
import type { Operator, Program, Value } from '../compiler/ir/program.ts';
import { reads, tensorOf, valueKey, wholeValue, writes } from '../compiler/ir/program.ts';
import type { Pass } from '../compiler/pass.ts';

interface Maker {
  readonly device: string;
  /** Null: it is an input of the model. */
  readonly operator: Operator | null;
}

interface Transfer {
  readonly from: string;
  readonly to: string;
  readonly value: Value;
  /** The first reader's. */
  readonly origin: string;
}

/** The maker that is linked to the reader; the earliest where several are. */
function sourceOf(cluster: Cluster, makers: readonly Maker[], reader: string, value: Value, origin: string): Maker {
  const source = makers.find(({ device }) => linkBetween(cluster, device, reader));
  if (source) return source;
  const from = makers[0]!.device;
  throw new CompileError('no-link', `${value.tensor} must go from ${from} to ${reader}, and no link joins them`, {
    at: ['cluster', `node "${origin}"`],
    hint: `add a link between ${from} and ${reader}, or plan without ${reader}`,
  });
}

/** What must cross, by the operator that makes it. */
function transfersOf(program: Program<'assembled'>, cluster: Cluster): Map<Operator | null, Transfer[]> {
  const { inputs, outputs } = program.placement!;
  const makers = new Map<string, Maker[]>();
  /** Devices and values that are there or on their way. */
  const present = new Set<string>();
  const transfers = new Map<Operator | null, Transfer[]>();
  const make = (device: string, value: Value, operator: Operator | null) => {
    const key = valueKey(value);
    listAt(makers, key).push({ device, operator });
    present.add(`${device} ${key}`);
  };
  const provide = (to: string, value: Value, origin: string) => {
    const key = valueKey(value);
    if (tensorOf(program, value.tensor).role === 'weight' || present.has(`${to} ${key}`)) return;
    const { device: from, operator } = sourceOf(cluster, makers.get(key) ?? [], to, value, origin);
    listAt(transfers, operator).push({ from, to, value, origin });
    present.add(`${to} ${key}`);
  };
  for (const name of program.inputs) make(inputs, wholeValue(tensorOf(program, name)), null);
  for (const operator of program.operators) {
    for (const value of reads(operator)) provide(operator.device!, value, operator.origin);
    for (const value of writes(operator)) make(operator.device!, value, operator);
  }
  for (const name of program.outputs) provide(outputs, wholeValue(tensorOf(program, name)), name);
  return transfers;
}

export const insertTransfers: Pass<'assembled', 'linked'> = {
  name: 'insert-transfers',
  from: 'assembled',
  to: 'linked',
  run(program, { cluster }) {
    const transfers = transfersOf(program, cluster);
    let channel = 0;
    const pairs = (maker: Operator | null): Operator[] =>
      (transfers.get(maker) ?? []).flatMap(({ from, to, value, origin }): Operator[] => {
        const shared = { channel: channel++, value, origin };
        return [
          { kind: 'send', device: from, to, ...shared },
          { kind: 'receive', device: to, from, ...shared },
        ];
      });
    const first = pairs(null);
    const operators = [...first, ...program.operators.flatMap((operator) => [operator, ...pairs(operator)])];
    return { ...program, stage: 'linked', operators };
  },
};
