/** What can be wrong with a model, one function an error. */
import { CompileError } from '../error.ts';

/** Where in the model: `at model.onnx: node "conv1"`. */
const at = (file: string, ...places: string[]): string[] => [[file, ...places].join(': ')];
const atNode = (file: string, node: string | undefined): string[] =>
  node === undefined ? at(file) : at(file, `node "${node}"`);
const quoted = (name: string) => `"${name}"`;
/** One word of a command line: exporters name dimensions `past_sequence + 1`. */
const forShell = (word: string) => (/^[\w:.=+/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
const exportAgain = 'export the model again; `onnx.checker.check_model` names such faults too';

export const notAFile = (file: string, what: string, cause?: unknown) =>
  new CompileError('model-not-a-file', `${what}`, { at: at(file), hint: 'give the path of an .onnx file', cause });

export const emptyModel = (file: string) =>
  new CompileError('model-empty', 'the file has no content', {
    at: at(file),
    hint: 'copy or download the model again',
  });

export const truncatedModel = (file: string, field: string, needed: number, size: number) =>
  new CompileError('model-truncated', `${field} reaches to byte ${needed}, the file ends at ${size}`, {
    at: at(file),
    hint: 'the file is cut off or damaged: copy or download it again',
  });

export const damagedModel = (file: string, reason: string, cause?: unknown) =>
  new CompileError('model-damaged', reason, { at: at(file), hint: 'copy or download the model again', cause });

export const notOnnx = (file: string, looksLike: string | undefined) =>
  new CompileError('model-not-onnx', `this is not an ONNX model${looksLike ? `; it looks like ${looksLike}` : ''}`, {
    at: at(file),
    hint: 'give a binary ONNX model (protobuf), as exporters write it',
  });

export const noGraph = (file: string) =>
  new CompileError('model-no-graph', 'the model has no graph', { at: at(file), hint: exportAgain });

export const noOutput = (file: string) =>
  new CompileError('model-no-output', 'the graph has no output', { at: at(file), hint: exportAgain });

export const unsupportedIr = (file: string, version: string, supported: string) =>
  new CompileError('ir-version', `IR version ${version}; onnxruntime loads 1 to ${supported}`, {
    at: at(file),
    hint: `convert the model, or export it with an onnx package that writes IR version ${supported} or lower`,
  });

export const unsupportedOpset = (file: string, domain: string, version: string, supported: string) =>
  new CompileError('opset', `operator set ${domain} ${version}; onnxruntime loads up to ${supported}`, {
    at: at(file),
    hint: `export the model with an opset of ${supported} or lower, or use onnx.version_converter`,
  });

export const missingOpset = (file: string) =>
  new CompileError('opset', 'the model names no operator set', { at: at(file), hint: exportAgain });

export const unknownOperator = (file: string, node: string, type: string, domain: string, opset: number | undefined) =>
  new CompileError(
    'unknown-operator',
    `onnxruntime knows no operator ${type} in ${domain || 'ai.onnx'} ${opset === undefined ? '(a domain the model does not import)' : opset}`,
    {
      at: at(file, `node "${node}"`),
      hint: 'use operators onnxruntime has, or give the model a function of that name',
    },
  );

export const noKernel = (file: string, node: string, type: string, opset: string) =>
  new CompileError('operator-no-kernel', `onnxruntime has no CPU implementation of ${type} ${opset} for these types`, {
    at: at(file, `node "${node}"`),
    hint: 'convert the node to another dtype, or the model to a newer opset',
  });

/** @param node that onnxruntime refuses, if that is known */
export const refusedModel = (file: string, node: string | undefined, message: string, cause?: unknown) =>
  new CompileError('model-refused', `onnxruntime refuses the model: ${message}`, {
    at: atNode(file, node),
    hint: exportAgain,
    cause,
  });

/** @param why in onnxruntime's words, as of the next three */
export const nodeInvalid = (file: string, node: string, why: string) =>
  new CompileError('node-invalid', `the node is not as its operator asks: ${why}`, {
    at: atNode(file, node),
    hint: exportAgain,
  });

export const attributeInvalid = (file: string, node: string, why: string) =>
  new CompileError('attribute-invalid', `an attribute is not as the operator asks: ${why}`, {
    at: atNode(file, node),
    hint: exportAgain,
  });

export const typeMismatch = (file: string, node: string, why: string) =>
  new CompileError('type-mismatch', `types do not fit: ${why}`, { at: atNode(file, node), hint: exportAgain });

export const shapeInference = (file: string, node: string, values: readonly string[], why: string) =>
  new CompileError('shape-inference', `the shape of ${values.map(quoted).join(', ')} cannot be inferred: ${why}`, {
    at: atNode(file, node),
    hint: exportAgain,
  });

export const valueType = (file: string, place: string, what: string) =>
  new CompileError('value-type', what, { at: at(file, place), hint: exportAgain });

export const valueShape = (file: string, place: string, value: string, shape: readonly number[], why: string) =>
  new CompileError('value-shape', `value "${value}" cannot have the shape [${shape.join(',')}]: ${why}`, {
    at: at(file, place),
    hint: exportAgain,
  });

const work = 'while it folded constants and inferred shapes';
const simplify = 'make the model simpler: store constants that large operators compute from small ones as initializers';

/** @param node at which it happens, if that is known */
export const onnxruntimeCrashed = (file: string, node: string | undefined, how: string, cause?: unknown) =>
  new CompileError('onnxruntime-crashed', `onnxruntime crashed (${how}) ${work}`, {
    at: atNode(file, node),
    hint: `the model is damaged, or onnxruntime has a fault there: ${exportAgain}`,
    cause,
  });

export const onnxruntimeMemory = (file: string, node: string | undefined, limit: string, cause?: unknown) =>
  new CompileError('onnxruntime-memory', `onnxruntime used more than ${limit}, or all there was, ${work}`, {
    at: atNode(file, node),
    hint: simplify,
    cause,
  });

export const onnxruntimeTimeout = (file: string, message: string, cause?: unknown) =>
  new CompileError('onnxruntime-timeout', `onnxruntime was stopped ${message} ${work}`, {
    at: at(file),
    hint: simplify,
    cause,
  });

export const onnxruntimeStart = (file: string, message: string, cause?: unknown) =>
  new CompileError('onnxruntime-start', `the process that runs onnxruntime does not start: ${message}`, {
    at: at(file),
    hint: 'check that `node -e "require(\'onnxruntime-node\')"` works here, and that processes can be started',
    cause,
  });

export const duplicateValue = (file: string, name: string, first: string, second: string) =>
  new CompileError('duplicate-value', `value "${name}" is made twice: by ${first} and by ${second}`, {
    at: at(file, second),
    hint: exportAgain,
  });

export const undefinedValue = (file: string, name: string, user: string) =>
  new CompileError('undefined-value', `value "${name}" is used but nothing makes it`, {
    at: at(file, user),
    hint: exportAgain,
  });

/** @param outer the nodes that hold the graph, outermost first */
export function cycle(file: string, outer: readonly string[], nodes: readonly string[]) {
  const shown = nodes.slice(0, 10).map((node) => `"${node}"`);
  const rest = nodes.length > shown.length ? ` → … (${nodes.length} nodes)` : '';
  return new CompileError('cycle', `nodes wait for each other: ${shown.join(' → ')}${rest}`, {
    at: at(file, ...outer, `node "${nodes[0]}"`),
    hint: exportAgain,
  });
}

export const attributeRange = (file: string, place: string, attribute: string, value: number) =>
  new CompileError('attribute-range', `attribute "${attribute}" cannot be ${value}`, {
    at: at(file, place),
    hint: exportAgain,
  });

export const tensorSize = (file: string, tensor: string, message: string) =>
  new CompileError('tensor-size', `tensor "${tensor}": ${message}`, {
    at: at(file, `tensor "${tensor}"`),
    hint: exportAgain,
  });

const besideModel = 'keep the data file in the folder of the model, or below it, under the name the model uses';

export const externalMissing = (file: string, tensor: string, location: string, cause?: unknown) =>
  new CompileError('external-data-missing', `data file "${location}" cannot be read`, {
    at: at(file, `tensor "${tensor}"`),
    hint: besideModel,
    cause,
  });

export const externalShort = (file: string, tensor: string, location: string, needed: number, size: number) =>
  new CompileError('external-data-short', `needs bytes up to ${needed} of "${location}", which has ${size}`, {
    at: at(file, `tensor "${tensor}"`),
    hint: 'the data file is cut off, or belongs to another model: copy it again',
  });

export const externalOutside = (file: string, tensor: string, location: string) =>
  new CompileError('external-data-outside', `data file "${location}" is outside the model's folder`, {
    at: at(file, `tensor "${tensor}"`),
    hint: `${besideModel}; links that lead elsewhere are not followed`,
  });

export const weightUnreadable = (file: string, reason: string, cause?: unknown) =>
  new CompileError('weight-unreadable', `weights cannot be read: ${reason}`, {
    at: at(file),
    hint: 'the file changed since the model was imported: start again',
    cause,
  });

export const unboundDimension = (file: string, input: string, axis: number, parameter: string) =>
  new CompileError(
    'unbound-dimension',
    `dimension ${axis} of input "${input}"${parameter ? ` (${parameter})` : ''} has no fixed size`,
    {
      at: at(file, `input "${input}"`),
      hint: `set it with --dim ${forShell(`${parameter || `${input}:${axis}`}=SIZE`)}`,
    },
  );

export const unknownDimension = (file: string, name: string, known: readonly string[]) =>
  new CompileError('unknown-dimension', `no free dimension is called "${name}"`, {
    at: at(file),
    hint: known.length > 0 ? `free dimensions: ${known.join(', ')}` : 'every dimension of the inputs is fixed',
  });

export const dimensionSize = (file: string, name: string, size: number) =>
  new CompileError('dimension-size', `dimension "${name}" cannot be ${size}`, {
    at: at(file),
    hint: 'sizes are whole numbers',
  });
