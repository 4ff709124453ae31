/** Holds each stage to its promise. A breach after one of our passes is our bug; after a user's pass it is named so. */
import { CompileError } from '../error.ts';
import { listAt } from './lists.ts';
import type { Compute, Operator, Program, Tensor, Value } from './program.ts';
import { conversionOf, isDequantize, isKnown, reads, valueKey, wholeValue, writes } from './program.ts';
import { equalRegions, intersect, isEmpty, type Region, subtractAll, wholeRegion } from './region.ts';
import { formatOperator, formatValue } from './text.ts';

const KINDS: Readonly<Record<Program['stage'], readonly Operator['kind'][]>> = {
  imported: ['compute'],
  split: ['compute'],
  assembled: ['compute', 'assemble'],
  linked: ['compute', 'assemble', 'send', 'receive'],
};

/** Checks one program; `pass` is named in errors. */
class Verifier {
  /** Values made so far: by device (imported: '') and key. */
  private readonly made = new Map<string, Set<string>>();
  /** Regions made so far of a tensor, by tensor. */
  private readonly regions = new Map<string, { device: string; value: Value }[]>();

  constructor(
    private readonly program: Program,
    private readonly pass: string,
    private readonly devices: readonly string[] | undefined,
  ) {}

  private fail(message: string, operator?: Operator): never {
    const line = operator ? [`operator ${formatOperator(this.program, operator)}`] : [];
    throw new CompileError('program-invalid', message, {
      at: [`pass ${this.pass}, stage ${this.program.stage}`, ...line],
      hint: 'the pass broke what this stage promises; dump the stages before and after it with --dump',
    });
  }

  run(): void {
    const { program } = this;
    const inputDevice = program.placement?.inputs ?? '';
    this.named();
    for (const name of program.inputs) this.make(inputDevice, wholeValue(this.tensor(name)));
    for (const operator of program.operators) {
      this.legal(operator);
      for (const value of reads(operator)) this.readable(operator, value);
      for (const value of writes(operator)) this.writable(operator, value);
    }
    for (const name of program.outputs) this.produced(name);
    if (program.stage === 'linked') this.paired();
  }

  /** Tensors, origins and places. */
  private named(): void {
    const { stage, tensors, inputs, outputs, placement, operators } = this.program;
    for (const [key, tensor] of tensors) {
      if (key !== tensor.name) this.fail(`tensor ${tensor.name} is kept under ${key}`);
      if (tensor.encodes !== undefined) this.encoded(tensor, this.tensor(tensor.encodes));
    }
    for (const name of outputs) this.tensor(name);
    for (const name of inputs) if (this.tensor(name).role !== 'input') this.fail(`input ${name} is no input`);
    if ((stage === 'imported') !== (placement === null)) this.fail('a placement where none belongs, or none');
    for (const device of placement ? [placement.inputs, placement.outputs] : []) this.known(device);
    const origins = new Set<string>();
    for (const operator of stage === 'imported' ? operators : []) {
      if (origins.has(operator.origin)) this.fail(`two operators of origin "${operator.origin}"`, operator);
      origins.add(operator.origin);
    }
  }

  /** An inner tensor beside one that could be sent as it is. */
  private encoded({ name, role, shape }: Tensor, of: Tensor): void {
    if (this.program.stage !== 'linked') this.fail(`${name} is encoded before its stage`);
    const alike = shape.length === of.shape.length && shape.every((size, i) => size === of.shape[i]);
    if (role !== 'inner' || of.role === 'weight' || of.encodes !== undefined || !alike)
      this.fail(`${name} cannot encode ${of.name}`);
  }

  private known(device: string, operator?: Operator): void {
    if (this.devices && !this.devices.includes(device)) this.fail(`no device ${device} in the cluster`, operator);
  }

  private tensor(name: string, operator?: Operator) {
    return this.program.tensors.get(name) ?? this.fail(`no tensor ${name}`, operator);
  }

  private make(device: string, value: Value): void {
    const keys = this.made.get(device) ?? new Set();
    this.made.set(device, keys.add(valueKey(value)));
    listAt(this.regions, value.tensor).push({ device, value });
  }

  /** Kinds of operators and devices that the stage allows. */
  private legal(operator: Operator): void {
    const { stage } = this.program;
    if (!KINDS[stage].includes(operator.kind)) this.fail(`${operator.kind} before its stage`, operator);
    if ((stage === 'imported') !== (operator.device === null))
      this.fail('a device where none belongs, or none', operator);
    if (operator.device !== null) this.known(operator.device, operator);
    if (operator.kind === 'send') this.known(operator.to, operator);
    if (operator.kind === 'compute' && !this.converts(operator) && reads(operator).some(({ partial }) => partial))
      this.fail('computes with an addend as if it were the sum', operator);
    for (const value of [...reads(operator), ...writes(operator)]) this.inside(operator, value);
    if (operator.kind === 'assemble') this.assembles(operator.inputs, operator.output, operator);
  }

  /** Whether it encodes or decodes, which it does element by element; nothing else touches what is encoded. */
  private converts(operator: Compute): boolean {
    const conversion = conversionOf(this.program, operator);
    const values = [...reads(operator), ...writes(operator)].filter(
      ({ tensor }) => this.tensor(tensor, operator).role !== 'weight',
    );
    if (conversion) {
      const [input, output] = values;
      const same = values.length === 2 && valueKey({ ...input!, tensor: output!.tensor }) === valueKey(output!);
      if (!same) this.fail(`${conversion}s other elements than it reads`, operator);
      return true;
    }
    if (values.some(({ tensor }) => this.program.tensors.get(tensor)?.encodes !== undefined))
      this.fail('computes with encoded elements', operator);
    return false;
  }

  private inside(operator: Operator, value: Value): void {
    const { shape } = this.tensor(value.tensor, operator);
    const { partial } = value;
    if (partial && !(Number.isInteger(partial.index) && partial.index >= 0 && partial.index < partial.count))
      this.fail(`addend ${partial.index} of ${partial.count}`, operator);
    if (partial && this.program.stage === 'imported') this.fail('an addend before the split', operator);
    if (isKnown(shape) !== (value.region !== null))
      this.fail(`a region of ${value.tensor} where its shape is not known, or none where it is`, operator);
    if (!value.region) return;
    const fits =
      value.region.length === shape.length &&
      value.region.every(([begin, end], i) => begin >= 0 && begin <= end && end <= (shape[i] ?? end));
    if (!fits) this.fail(`${formatValue(this.program, value)} lies outside [${shape}]`, operator);
    const whole = isKnown(shape) && equalRegions(value.region, wholeRegion(shape));
    if (this.program.stage === 'imported' && !whole) this.fail('a part of a tensor before the split', operator);
  }

  private assembles(inputs: readonly Value[], output: Value, operator: Operator): void {
    if (!output.region || inputs.some((input) => !input.region || input.tensor !== output.tensor)) {
      this.fail('assembles another tensor, or one of unknown shape', operator);
    }
    const first = inputs[0]?.partial;
    const [only] = inputs;
    // A part of one addend stays that addend.
    if (
      output.partial &&
      !(only && inputs.length === 1 && valueKey({ ...only, region: output.region }) === valueKey(output))
    )
      this.fail('makes an addend of something else', operator);
    if (inputs.some(({ partial }) => partial) && !output.partial) {
      const indices = new Set(inputs.map(({ partial }) => partial?.index));
      const alike = inputs.every(({ partial: p }) => p?.combine === first?.combine && p?.count === first?.count);
      if (!alike || indices.size !== inputs.length || inputs.length !== first!.count)
        this.fail('combines some partials only', operator);
      for (const input of inputs) {
        if (subtractAll(output.region!, [input.region!]).length)
          this.fail('combines partials of other regions', operator);
      }
    }
    const regions = inputs.map((input) => input.region!);
    if (subtractAll(output.region!, regions).length > 0) this.fail('its inputs do not cover its output', operator);
  }

  private readable(operator: Operator, value: Value): void {
    if (this.tensor(value.tensor, operator).role === 'weight') return;
    const text = () => formatValue(this.program, value);
    switch (this.program.stage) {
      case 'imported':
      case 'split':
        if (!this.covered(value.tensor, value.region)) this.fail(`nobody made ${text()} before it is read`, operator);
        return;
      case 'assembled':
        if (!this.exists(value)) this.fail(`no device has ${text()} as such`, operator);
        return;
      case 'linked':
        if (!this.made.get(operator.device!)?.has(valueKey(value)))
          this.fail(`${operator.device} does not have ${text()}`, operator);
        return;
      default:
        this.program.stage satisfies never;
    }
  }

  private exists(value: Value): boolean {
    const key = valueKey(value);
    return [...this.made.values()].some((keys) => keys.has(key));
  }

  private covered(tensor: string, region: Region | null): boolean {
    const pieces = this.regions.get(tensor) ?? [];
    if (!region) return pieces.length > 0;
    const complete = pieces.filter(({ value }) => !value.partial);
    const rest = subtractAll(
      region,
      complete.map(({ value }) => value.region!),
    );
    const sums = pieces.filter(({ value }) => {
      const same = pieces.filter((other) => other.value.partial && equalRegions(other.value.region!, value.region!));
      return value.partial && new Set(same.map((other) => other.value.partial!.index)).size >= value.partial.count;
    });
    return rest.every(
      (r) =>
        subtractAll(
          r,
          sums.map(({ value }) => value.region!),
        ).length === 0,
    );
  }

  private writable(operator: Operator, value: Value): void {
    const device = operator.device ?? '';
    const role = this.tensor(value.tensor, operator).role;
    const conversion = conversionOf(this.program, operator);
    if (role === 'weight' || (role === 'input' && operator.kind === 'compute' && conversion !== 'decode'))
      this.fail(`writes ${role} ${value.tensor}`, operator);
    const again = (this.regions.get(value.tensor) ?? []).find(
      (other) =>
        other.device === device &&
        (!value.region ||
          (conversion || isDequantize(operator)
            ? valueKey(other.value) === valueKey(value)
            : this.clash(other.value, value))),
    );
    // Assembled and received values repeat elements on purpose; computing one twice is a waste or a conflict.
    if (operator.kind === 'compute' && again) {
      this.fail(`computes a part of ${formatValue(this.program, value)} twice on ${device}`, operator);
    }
    if (operator.kind !== 'compute' && this.made.get(device)?.has(valueKey(value))) {
      this.fail(`makes ${formatValue(this.program, value)} twice on ${device}`, operator);
    }
    this.make(device, value);
  }

  private clash(a: Value, b: Value): boolean {
    if (!a.region || !b.region) return true;
    if (a.partial && b.partial && a.partial.index !== b.partial.index) return false;
    return !isEmpty(intersect(a.region, b.region)) && Boolean(a.partial) === Boolean(b.partial);
  }

  /** The model's outputs exist where they are wanted. */
  private produced(name: string): void {
    const value = wholeValue(this.tensor(name));
    if (this.tensor(name).role === 'weight') return;
    const { stage, placement } = this.program;
    const there =
      stage === 'linked'
        ? this.made.get(placement!.outputs)?.has(valueKey(value))
        : stage === 'assembled'
          ? this.exists(value)
          : this.covered(name, value.region);
    if (!there && !(value.region && isEmpty(value.region))) this.fail(`output ${name} is not made`);
  }

  /** Every receive has its send, of the same value, before it; channels join two devices. */
  private paired(): void {
    const sends = new Map<number, Operator & { kind: 'send' }>();
    const received = new Set<number>();
    for (const operator of this.program.operators) {
      if (operator.kind === 'send') {
        if (sends.has(operator.channel)) this.fail(`channel ${operator.channel} is sent on twice`, operator);
        sends.set(operator.channel, operator);
      } else if (operator.kind === 'receive') {
        const send = sends.get(operator.channel);
        const matches =
          send &&
          send.to === operator.device &&
          send.device === operator.from &&
          send.device !== send.to &&
          valueKey(send.value) === valueKey(operator.value);
        if (!matches || received.has(operator.channel)) this.fail('receives what nobody sends', operator);
        received.add(operator.channel);
      }
    }
    for (const [channel, send] of sends) if (!received.has(channel)) this.fail('sends what nobody receives', send);
  }
}

/**
 * @param devices of the cluster; not checked if left out
 * @throws program-invalid naming the pass, the stage and the operator
 */
export const verifyProgram = (program: Program, pass: string, devices?: readonly string[]): void =>
  new Verifier(program, pass, devices).run();
