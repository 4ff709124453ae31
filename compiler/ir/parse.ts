/** Reads the text form of a program back. */
import { isDType } from '../../runtime/dtype.ts';
import { CompileError } from '../error.ts';
import type {
  Attribute,
  Combine,
  Compute,
  Literal,
  Operator,
  Partial,
  Program,
  Stage,
  Tensor,
  Value,
  WeightSource,
} from './program.ts';
import { isKnown, stages } from './program.ts';
import { parseRegion, wholeRegion } from './region.ts';

/** A cursor over one line; every expectation that fails is an error that names line and column. */
class Scanner {
  private at = 0;
  constructor(
    private readonly text: string,
    private readonly line: number,
  ) {}

  fail(expected: string): never {
    // The fault begins at the next word.
    this.take(/(?:)/);
    throw new CompileError(
      'program-text',
      `${expected} expected, found ${JSON.stringify(this.text.slice(this.at, this.at + 20))}`,
      {
        at: [`line ${this.line}, column ${this.at + 1}`],
        hint: 'compare with what --dump writes',
      },
    );
  }

  /** The match of a sticky pattern at the cursor, spaces skipped. */
  take(pattern: RegExp): RegExpExecArray | undefined {
    const sticky = new RegExp(` *(?:${pattern.source})`, 'y');
    sticky.lastIndex = this.at;
    const match = sticky.exec(this.text);
    if (match) this.at = sticky.lastIndex;
    return match ?? undefined;
  }

  expect(pattern: RegExp, what: string): RegExpExecArray {
    return this.take(pattern) ?? this.fail(what);
  }

  string(): string {
    const begin = this.at;
    const text = this.expect(/"(?:[^"\\]|\\.)*"/, 'a string')[0];
    try {
      return JSON.parse(text);
    } catch {
      this.at = begin;
      return this.fail('a string as JSON writes it');
    }
  }

  bytes(): Uint8Array {
    return new Uint8Array(Buffer.from(this.string(), 'base64'));
  }

  /** `first (, next)*` up to `end`. */
  list<T>(end: RegExp, item: () => T): T[] {
    const items: T[] = [];
    while (!this.take(end)) {
      if (items.length > 0) this.expect(/,/, '","');
      items.push(item());
    }
    return items;
  }

  number(): number {
    const text = this.expect(/-?inf|nan|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/, 'a number')[0].trim();
    if (text === 'nan') return Number.NaN;
    return text.endsWith('inf') ? Number(text.replace('inf', 'Infinity')) : Number(text);
  }

  /** A whole number, at least 0: a size, an offset, a channel. */
  natural(): number {
    return Number(this.expect(/\d+/, 'a whole number')[0]);
  }

  /** A bare or quoted name. */
  name(): string {
    const bare = this.take(/[A-Za-z0-9_./$@+-]+/);
    if (bare) return bare[0].trim();
    return this.take(/(?=")/) ? this.string() : this.fail('a name');
  }

  tensorName(): string {
    this.expect(/%/, 'a tensor (%name)');
    return this.name();
  }

  end(): void {
    if (this.take(/$/) === undefined) this.fail('end of line');
  }
}

const combines: readonly string[] = ['sum', 'max', 'min', 'prod'] satisfies Combine[];

class ProgramReader {
  private readonly tensors = new Map<string, Tensor>();
  constructor(private readonly lines: readonly string[]) {}

  read(): Program {
    const scan = (index: number) => new Scanner(this.lines[index] ?? '', index + 1);
    const head = scan(0);
    head.expect(/program/, '"program"');
    const name = head.string();
    const stage = head.name();
    if (!stages.includes(stage as Stage)) head.fail(stages.join(' or '));
    const versions = scan(1);
    versions.expect(/ir/, '"ir"');
    const irVersion = versions.number();
    versions.expect(/, opset/, '", opset"');
    const opsets = Object.fromEntries(
      versions.list(/$/, () => {
        const domain = versions.name();
        return [domain === 'ai.onnx' ? '' : domain, versions.number()];
      }),
    );
    const names = (index: number, word: string) => {
      const line = scan(index);
      line.expect(new RegExp(word), `"${word}"`);
      return line.list(/$/, () => line.tensorName());
    };
    const inputs = names(2, 'inputs');
    const outputs = names(3, 'outputs');
    let next = 4;
    let placement: Program['placement'] = null;
    if (this.lines[next]?.startsWith('placement')) {
      const line = scan(next++);
      line.expect(/placement/, '"placement"');
      placement = { inputs: line.name(), outputs: line.name() };
    }
    const operators: Operator[] = [];
    let inOperators = false;
    for (let index = next + 1; index < this.lines.length; index++) {
      if (this.lines[index]!.trim() === '') inOperators = true;
      else if (inOperators) operators.push(this.operator(scan(index)));
      else this.tensor(scan(index));
    }
    return {
      stage: stage as Stage,
      name,
      irVersion,
      opsets,
      tensors: this.tensors,
      inputs,
      outputs,
      operators,
      placement,
    };
  }

  private tensor(line: Scanner): void {
    const role = line.expect(/input|output|inner|weight/, 'a role')[0].trim() as Tensor['role'];
    const name = line.tensorName();
    line.expect(/:/, '":"');
    const type = line.expect(/[a-z0-9]+/, 'a dtype')[0].trim();
    line.expect(/\[/, '"["');
    const shape = line.list(/\]/, () => (line.take(/\?/) ? null : line.natural()));
    const encodes = line.take(/encodes/) ? { encodes: line.tensorName() } : {};
    if (this.tensors.has(name)) line.fail(`a tensor not declared above (${name} is)`);
    if (role !== 'weight') {
      if (type !== 'opaque' && !isDType(type)) line.fail('a dtype');
      this.tensors.set(name, { name, role, dtype: isDType(type) ? type : null, shape, ...encodes });
      line.end();
      return;
    }
    if (!isDType(type) || !isKnown(shape)) throw line.fail('the dtype and shape of a weight');
    line.expect(/=/, '"="');
    this.tensors.set(name, { name, role, dtype: type, shape, ...encodes, source: this.source(line) });
    line.end();
  }

  private source(line: Scanner): WeightSource {
    const kind = line.expect(/file|data|fill|strings/, 'where the weight is')[0].trim();
    switch (kind) {
      case 'file': {
        const file = line.string();
        const offset = line.natural();
        line.expect(/\+/, '"+"');
        return { kind: 'file', file, offset, length: line.natural() };
      }
      case 'data':
        return { kind: 'inline', bytes: line.bytes() };
      case 'fill':
        return { kind: 'fill', bytes: line.bytes() };
      default:
        line.expect(/\[/, '"["');
        return { kind: 'strings', values: line.list(/\]/, () => line.string()) };
    }
  }

  private value(line: Scanner): Value {
    const name = line.tensorName();
    const tensor = this.tensors.get(name) ?? line.fail(`a tensor declared above (not ${name})`);
    const text = line.take(/\[[^\]]*\]/)?.[0].trim();
    const region = text
      ? (parseRegion(text, tensor.shape) ?? line.fail(`a region of ${name} before this point`))
      : isKnown(tensor.shape)
        ? wholeRegion(tensor.shape)
        : null;
    const match = line.take(/~([a-z]+)(\d+)\/(\d+)/);
    if (!match) return { kind: 'value', tensor: name, region };
    if (!combines.includes(match[1]!)) line.fail(combines.join(' or '));
    const partial: Partial = { combine: match[1] as Combine, index: Number(match[2]), count: Number(match[3]) };
    return { kind: 'value', tensor: name, region, partial };
  }

  private literal(line: Scanner, dtype: Literal['dtype']): Literal {
    const shape = line.list(/\]/, () => line.natural());
    line.expect(/\(/, '"("');
    return { kind: 'literal', dtype, shape, data: line.list(/\)/, () => line.number()) };
  }

  private attribute(line: Scanner): Attribute {
    if (line.take(/proto/)) return { kind: 'proto', bytes: line.bytes() };
    if (line.take(/floats\[/)) return { kind: 'floats', value: line.list(/\]/, () => line.number()) };
    if (line.take(/strings\[/)) return { kind: 'strings', value: line.list(/\]/, () => line.string()) };
    if (line.take(/\[/)) return { kind: 'ints', value: line.list(/\]/, () => line.number()) };
    if (line.take(/(?=")/)) return { kind: 'string', value: line.string() };
    const isFloat = line.take(/(?=-?inf|nan|-?\d+(?:\.|e|\.\d+e))/) !== undefined;
    return { kind: isFloat ? 'float' : 'int', value: line.number() };
  }

  private operator(line: Scanner): Operator {
    const device = line.take(/([A-Za-z][\w-]*): /)?.[1] ?? null;
    const origin = () => {
      line.expect(/;/, '"; origin"');
      const name = line.name();
      line.end();
      return name;
    };
    if (line.take(/send /)) {
      const value = this.value(line);
      line.expect(/to/, '"to"');
      const to = line.name();
      line.expect(/on/, '"on"');
      const channel = line.natural();
      return { kind: 'send', device, value, to, channel, origin: origin() };
    }
    const outputs = line.list(/=/, () => (line.take(/_(?=[, ])/) ? null : this.value(line)));
    if (line.take(/recv from/)) {
      const from = line.name();
      line.expect(/on/, '"on"');
      const channel = line.natural();
      return { kind: 'receive', device, value: outputs[0] ?? line.fail('a value'), from, channel, origin: origin() };
    }
    if (line.take(/assemble\(/)) {
      const inputs = line.list(/\)/, () => this.value(line));
      return { kind: 'assemble', device, inputs, output: outputs[0] ?? line.fail('a value'), origin: origin() };
    }
    return this.compute(line, device, outputs, origin);
  }

  private compute(line: Scanner, device: string | null, outputs: Compute['outputs'], origin: () => string): Compute {
    const first = line.name();
    const qualified = line.take(/::/) !== undefined;
    const [domain, type] = qualified ? [first, line.name()] : ['', first];
    line.expect(/\(/, '"("');
    const inputs = line.list(/\)/, () => {
      if (line.take(/_/)) return null;
      const dtype = line.take(/(int64|int32|float32|uint8)\[/)?.[1];
      return dtype ? this.literal(line, dtype as Literal['dtype']) : this.value(line);
    });
    const attribute = (): [string, Attribute] => {
      const name = line.name();
      line.expect(/=/, '"="');
      return [name, this.attribute(line)];
    };
    const attributes = Object.fromEntries(line.take(/\{/) ? line.list(/\}/, attribute) : []);
    const captures = line.take(/captures\(/) ? line.list(/\)/, () => this.value(line)) : [];
    const cropText = line.take(/crop (\[[^\]]*\])/)?.[1];
    const axes = cropText?.match(/:/g) ?? [];
    const crop =
      cropText === undefined
        ? undefined
        : parseRegion(
            cropText,
            axes.map(() => null),
          );
    if (cropText !== undefined && !crop) line.fail('a region to crop to before this point');
    const scale = line.take(/scale/) ? line.number() : undefined;
    return {
      kind: 'compute',
      device,
      type,
      domain,
      attributes,
      inputs,
      outputs,
      captures,
      ...(crop ? { crop } : {}),
      ...(scale === undefined ? {} : { scale }),
      origin: origin(),
    };
  }
}

/** @throws program-text with line and column */
export const parseProgram = (text: string): Program =>
  new ProgramReader(text.replace(/\r?\n$/, '').split(/\r?\n/)).read();
