/** What onnxruntime says when it refuses a model → our errors. */
import type { CompileError } from '../error.ts';
import { type Draft, nodeLabel, plainDomain } from './draft.ts';
import { noKernel, refusedModel, unknownOperator, unsupportedIr, unsupportedOpset } from './errors.ts';

/** @param error thrown by `normalise` */
export function explain(draft: Draft, error: Error): CompileError {
  const { file } = draft;
  const said = plainMessage(error.message);
  const ir = /Unsupported model IR version: (\d+), max supported IR version: (\d+)/.exec(said);
  if (ir) return unsupportedIr(file, ir[1]!, ir[2]!);
  const opset = /Opset (\d+) is under development.* domain (\S+) is till opset (\d+)/s.exec(said);
  if (opset) return unsupportedOpset(file, opset[2]!, opset[1]!, opset[3]!);
  const unknown =
    /In Node, \("(?<node>[^"]*)", (?<type>[^,]+), "(?<domain>[^"]*)".*No (Op registered|opset import) for/s.exec(
      said,
    ) ?? /(?<domain>[\w.-]*):(?<type>\w+)\(-?\d+\) is not a registered function\/op/.exec(said);
  if (unknown?.groups) {
    const { node, type = '', domain = '' } = unknown.groups;
    const name = node ?? nodeOf(draft, domain, type) ?? type;
    return unknownOperator(file, name, type, domain, draft.opsets.get(plainDomain(domain)));
  }
  const kernel = /Could not find an implementation for (\S+)\((\d+)\) node with name '(.*)'/.exec(said);
  if (kernel) return noKernel(file, kernel[3]!, kernel[1]!, kernel[2]!);
  return refusedModel(file, said, error);
}

const nodeOf = (draft: Draft, domain: string, type: string): string | undefined => {
  const node = draft.nodes.find(({ proto }) => proto.opType === type && proto.domain === domain);
  return node && nodeLabel(node.proto);
};

/** Without what only helps who debugs onnxruntime: source file, line, signature. */
export function plainMessage(message: string): string {
  const lines = message.split('\n').map((line) => withoutSource(line).trim());
  return lines.filter((line) => line !== '').join(' ');
}

/** Drops `/path/file.cc:12 type Class::method(parameters) const ` and what stands before it. */
function withoutSource(line: string): string {
  const source = /\/\S+\.(cc|h|cpp|hpp):\d+ /.exec(line);
  if (!source) return line;
  let depth = 0;
  for (let at = line.indexOf('(', source.index); at >= 0 && at < line.length; at++) {
    if (line[at] === '(') depth++;
    else if (line[at] === ')') depth--;
    if (depth === 0) return line.slice(at + 1).replace(/^ const\b/, '');
  }
  return line.slice(source.index + source[0].length);
}
