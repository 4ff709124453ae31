/** Test cases in the layout of ONNX's backend suite: what there is to run, and the data it takes and gives. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fromProto } from '../../compiler/cli/inputs.ts';
import { takeApart } from '../../compiler/onnx/draft.ts';
import { decodeModel, onnx, toNumber, type ValueInfoProto } from '../../compiler/onnx/proto.ts';
import { scanModel } from '../../compiler/onnx/scan.ts';
import { dtypeOfOnnxNumber } from '../../runtime/dtype.ts';
import type { Tensor } from '../../runtime/program.ts';

/** Paths of the TensorProtos of one inference, in the order of the model's inputs and outputs. */
export interface DataFiles {
  /** null: any will do. */
  readonly inputs: readonly string[] | null;
  readonly outputs: readonly string[];
}

export interface Case {
  /** Path within the folder of cases. */
  readonly name: string;
  readonly model: string;
  readonly data: readonly DataFiles[];
}

export interface DataSet {
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** By name; an output that is listed twice is here once. */
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/** `input_0.pb`, `input_1.pb`, … */
function numbered(folder: string, kind: 'input' | 'output'): string[] {
  const files = readdirSync(folder).filter((file) => file.startsWith(`${kind}_`) && file.endsWith('.pb'));
  const number = (file: string) => Number(/\d+/.exec(file)?.[0]);
  return files.sort((a, b) => number(a) - number(b)).map((file) => join(folder, file));
}

/**
 * Folders with a `model.onnx` and `test_data_set_N`, and files `X.onnx` beside `X_output_0.pb`: networks whose weights are
 * constant, which give that for every input.
 */
export function findCases(root: string): Case[] {
  const cases: Case[] = [];
  const visit = (folder: string): void => {
    const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
    const name = relative(root, folder) || '.';
    const sets = entries.filter((entry) => entry.isDirectory() && entry.name.startsWith('test_data_set_'));
    if (existsSync(join(folder, 'model.onnx')) && sets.length > 0) {
      const data = sets.map((set): DataFiles => {
        const path = join(folder, set.name);
        return { inputs: numbered(path, 'input'), outputs: numbered(path, 'output') };
      });
      cases.push({ name, model: join(folder, 'model.onnx'), data });
      return;
    }
    for (const entry of entries) {
      if (entry.isDirectory()) visit(join(folder, entry.name));
      const output = join(folder, entry.name.replace(/\.onnx$/, '_output_0.pb'));
      if (!entry.name.endsWith('.onnx') || !existsSync(output)) continue;
      const model = join(folder, entry.name);
      cases.push({ name: relative(root, model), model, data: [{ inputs: null, outputs: [output] }] });
    }
  };
  visit(root);
  return cases;
}

/** Evenly spaced from 0 to 1, as ONNX's own runner feeds such models. */
function ramp({ name, type }: ValueInfoProto): Tensor {
  const dims = (type?.tensorType?.shape?.dim ?? []).map(({ dimValue }) => toNumber(dimValue) || 1);
  if (dtypeOfOnnxNumber(type?.tensorType?.elemType ?? 0) !== 'float32') throw new Error(`"${name}" is not float32`);
  const length = dims.reduce((product, size) => product * size, 1);
  return { type: 'float32', dims, data: Float32Array.from({ length }, (_, i) => i / length) };
}

const tensorIn = (file: string): Tensor => fromProto(readFileSync(file));

/**
 * Files belong to the inputs in order. An initializer that is also an input has its value already: it is only fed if there
 * are files for those too, see {@link withoutDefaults}.
 */
export function readData({ model, data }: Case): DataSet[] {
  const draft = takeApart(model, scanModel(model));
  const weights = new Set(draft.initializers.map(({ name }) => name));
  const free = draft.inputs.filter(({ name }) => !weights.has(name));
  const named = (infos: readonly ValueInfoProto[], files: readonly string[]) =>
    Object.fromEntries(files.map((file, i): [string, Tensor] => [infos[i]?.name ?? `(${i})`, tensorIn(file)]));
  return data.map(({ inputs, outputs }) => ({
    inputs: inputs
      ? named(inputs.length > free.length ? draft.inputs : free, inputs)
      : Object.fromEntries(free.map((info): [string, Tensor] => [info.name, ramp(info)])),
    outputs: named(draft.outputs, outputs),
  }));
}

/**
 * The model whose inputs are all that the data feeds: import takes an initializer that is also an input for a weight, so the
 * default of one that is fed is left out, in a copy in `folder`.
 */
export function withoutDefaults(model: string, { inputs }: DataSet, folder: string): string {
  const { initializers } = takeApart(model, scanModel(model));
  if (!initializers.some(({ name }) => Object.hasOwn(inputs, name))) return model;
  const proto = decodeModel(readFileSync(model));
  const kept = proto.graph!.initializer.filter(({ name }) => !Object.hasOwn(inputs, name));
  const copy = join(folder, 'model.onnx');
  writeFileSync(copy, onnx.ModelProto.encode({ ...proto, graph: { ...proto.graph!, initializer: kept } }).finish());
  return copy;
}

/** Sizes of the inputs' free dimensions, by input and axis. */
export function freeDimensions({ model }: Case, { inputs }: DataSet): Record<string, number> {
  const draft = takeApart(model, scanModel(model));
  const sizes = draft.inputs.flatMap(({ name, type }) =>
    (type?.tensorType?.shape?.dim ?? []).flatMap(({ dimValue }, axis): [string, number][] => {
      const size = inputs[name]?.dims[axis];
      const fixed = dimValue !== null && dimValue !== undefined && toNumber(dimValue) >= 0;
      return fixed || size === undefined ? [] : [[`${name}:${axis}`, size]];
    }),
  );
  return Object.fromEntries(sizes);
}
