/** What onnxruntime says when it refuses a model → our errors. */
import type { CompileError } from '../error.ts';
import { type Draft, nodeLabel, plainDomain } from './draft.ts';
import {
  attributeInvalid,
  nodeInvalid,
  noKernel,
  shapeInference,
  typeMismatch,
  unknownOperator,
  unsupportedIr,
  unsupportedOpset,
} from './errors.ts';

/** Named groups of a rule's pattern. */
type Found = Readonly<Record<string, string | undefined>>;

interface Rule {
  readonly says: RegExp;
  readonly means: (draft: Draft, found: Found) => CompileError;
}

/** The first that fits counts. */
const rules: readonly Rule[] = [
  {
    says: /Unsupported model IR version: (?<version>\d+), max supported IR version: (?<most>\d+)/,
    means: ({ file }, { version = '', most = '' }) => unsupportedIr(file, version, most),
  },
  {
    says: /Opset (?<version>\d+) is under development.* domain (?<domain>\S+) is till opset (?<most>\d+)/s,
    means: ({ file }, { domain = '', version = '', most = '' }) => unsupportedOpset(file, domain, version, most),
  },
  {
    says: /In Node, \("(?<node>[^"]*)", (?<type>[^,]+), "(?<domain>[^"]*)".*No (Op registered|opset import) for/s,
    means: unknown,
  },
  { says: /(?<domain>[\w.-]*):(?<type>\w+)\(-?\d+\) is not a registered function\/op/, means: unknown },
  {
    says: /Could not find an implementation for (?<type>\S+)\((?<opset>\d+)\) node with name '(?<node>.*)'/,
    means: ({ file }, { node = '', type = '', opset = '' }) => noKernel(file, node, type, opset),
  },
  {
    says: /In Node, \("(?<node>[^"]*)", (?<type>[^,]*), "(?<domain>[^"]*)", -?\d+\) : .*, ?Error (?<why>.*)/s,
    means: (draft, found) => {
      const { node, type = '', domain = '', why = '' } = found;
      const name = node || (nodeOf(draft, domain, type) ?? type);
      return /attribute|'attr'/i.test(why)
        ? attributeInvalid(draft.file, name, why)
        : nodeInvalid(draft.file, name, why);
    },
  },
  { says: /(?<why>Unsupported attribute value type of \d+) in 'Constant' node '(?<node>.*)'/, means: attribute },
  { says: /Constant node: (?<node>.*) (?<why>has no data attributes)/, means: attribute },
  {
    says: /Type Error: (?<why>.*in node \((?<node>.*)\).*|.*of node \((?<of>.*)\) does not match.*)/s,
    means: ({ file }, { node, of, why = '' }) => typeMismatch(file, node ?? of ?? '', why),
  },
  {
    says: /Node \((?<node>.*)\) Op \((?<type>\w+)\) \[(Shape|Type)InferenceError\] (?<why>.*)/s,
    means: (draft, { node = '', type = '', why = '' }) => {
      if (/^Attribute|attribute\b/.test(why)) return attributeInvalid(draft.file, node || type, why);
      const made = draft.nodes.find(({ proto }) => nodeLabel(proto) === node)?.proto.output ?? [];
      return shapeInference(
        draft.file,
        node || type,
        made.filter((name) => name !== ''),
        why,
      );
    },
  },
];

/** @param said by onnxruntime, without what only helps who debugs it; undefined: nothing we have words of our own for */
export function explain(draft: Draft, said: string): CompileError | undefined {
  for (const { says, means } of rules) {
    const found = says.exec(said);
    if (found) return means(draft, found.groups ?? {});
  }
  return undefined;
}

function unknown(draft: Draft, { node, type = '', domain = '' }: Found): CompileError {
  const name = node ?? nodeOf(draft, domain, type) ?? type;
  return unknownOperator(draft.file, name, type, domain, draft.opsets.get(plainDomain(domain)));
}

function attribute({ file }: Draft, { node = '', why = '' }: Found): CompileError {
  return attributeInvalid(file, node, why);
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

/** Drops `/path/file.cc:12 type Class::method(parameters) const [with T = type] ` and what stands before it. */
function withoutSource(line: string): string {
  const short = /^\[ONNXRuntimeError\] : \d+ : \w+ : (\w+\.(cc|h):\d+ \w+ )?/.exec(line);
  if (short) return line.slice(short[0].length);
  const source = /\/\S+\.(cc|h|cpp|hpp):\d+ /.exec(line);
  if (!source) return line;
  let depth = 0;
  for (let at = line.indexOf('(', source.index); at >= 0 && at < line.length; at++) {
    if (line[at] === '(') depth++;
    else if (line[at] === ')') depth--;
    if (depth === 0) return line.slice(at + 1).replace(/^( const\b)?( \[with [^\]]*\])?/, '');
  }
  return line.slice(source.index + source[0].length);
}
