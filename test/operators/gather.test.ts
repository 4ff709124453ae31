import fc from 'fast-check';
import { suite } from 'uvu';
import { type Case, f32, type Input, int, text } from './brute-force.ts';
import { property, rows } from './suite.ts';

const test = suite('gather');

const index = (below: number, ...shape: number[]): Input => ({ dtype: 'int64', shape, range: [0, below] });

rows(test, [
  // A word embedding.
  ['aw,nc->ncw', 'cnw', { type: 'Gather', inputs: [f32(9, 4), index(9, 2, 5)] }],
  ['naw,c->ncw', 'cnw', { type: 'Gather', inputs: [f32(2, 7, 4), index(7, 3)], attributes: { axis: int(-2) } }],
  [
    'nac,->nc',
    'cn',
    { type: 'Gather', inputs: [f32(3, 7, 4), { ...index(7), dtype: 'int32' }], attributes: { axis: int(1) } },
  ],
  [
    'ncw,ncw->ncw',
    'cnw',
    { type: 'GatherElements', inputs: [f32(4, 5, 6), index(5, 3, 7, 2)], attributes: { axis: int(1) } },
  ],
  ['abc,nd->nc', 'cn', { type: 'GatherND', inputs: [f32(2, 2, 4), index(2, 3, 2)] }],
  [
    'naw,ncb->ncw',
    'cnw',
    { type: 'GatherND', inputs: [f32(2, 5, 3), index(5, 2, 4, 1)], attributes: { batch_dims: int(1) } },
  ],
  [
    'ncw,naw,naw->ncw',
    'nw',
    { type: 'ScatterElements', inputs: [f32(3, 5, 4), index(5, 3, 2, 4), f32(3, 2, 4)], attributes: { axis: int(1) } },
  ],
  [
    'ncw,naw,naw->ncw',
    'nw',
    { type: 'ScatterElements', inputs: [f32(3, 5, 4), index(5, 3, 2, 3), f32(3, 2, 3)], attributes: { axis: int(1) } },
  ],
  [
    'nc,na,na->nc',
    'n',
    { type: 'Scatter', opset: 10, inputs: [f32(3, 4), index(4, 3, 4), f32(3, 4)], attributes: { axis: int(1) } },
  ],
  [
    'ncw,acw,acw->ncw',
    'cw',
    { type: 'ScatterElements', inputs: [f32(3, 6, 5), index(3, 2, 2, 1), f32(2, 2, 1)], attributes: { axis: int(-3) } },
  ],
  ['nc,*,*->ncw', 'cn', { type: 'OneHot', inputs: [index(4, 3, 2), { ...index(5), values: [4] }, f32(2)] }],
  [
    'nw,*,*->ncw',
    'nw',
    { type: 'OneHot', inputs: [index(4, 3, 2), { ...index(5), values: [4] }, f32(2)], attributes: { axis: int(1) } },
  ],
  ['ncyx,nhwp->nchw', 'chnw', { type: 'GridSample', opset: 16, inputs: [f32(2, 3, 5, 4), f32(2, 4, 3, 2)] }],
]);

const extents = (least: number, most: number) =>
  fc.array(fc.integer({ min: 1, max: 4 }), { minLength: least, maxLength: most });

const gathers = fc
  .record({ data: extents(1, 3), indices: extents(0, 2), axis: fc.integer({ min: -3, max: 2 }) })
  .map(({ data, indices, axis }): Case => {
    const at = axis < 0 ? -1 - ((-axis - 1) % data.length) : axis % data.length;
    return { type: 'Gather', inputs: [f32(...data), index(data.at(at)!, ...indices)], attributes: { axis: int(at) } };
  });
property(test, 'any gather', 'chnw', gathers, 60);

/** Indices, and what they pick from or write to, that is longer by some along other dimensions. */
const picks = fc
  .record({
    shape: extents(1, 3),
    longer: fc.array(fc.nat(2), { minLength: 3, maxLength: 3 }),
    axis: fc.nat(2),
    size: fc.integer({ min: 1, max: 5 }),
    negative: fc.boolean(),
    kind: fc.constantFrom('GatherElements', 'none', 'add', 'mul', 'max', 'min'),
  })
  .map(({ shape, longer, axis, size, negative, kind }): Case => {
    const at = axis % shape.length;
    const data = shape.map((extent, i) => (i === at ? size : extent + longer[i]!));
    const attributes = { axis: int(negative ? at - shape.length : at) };
    const read = [f32(...data), index(size, ...shape)];
    return kind === 'GatherElements'
      ? { type: kind, inputs: read, attributes }
      : {
          type: 'ScatterElements',
          opset: 18,
          // Where two updates meet, which is last does not depend on the other dimensions.
          inputs: [...read, f32(...shape)],
          attributes: { ...attributes, reduction: text(kind) },
        };
  });
property(test, 'any elements picked or written', 'cnw', picks, 100);

/** `[batch.., lead.., k]` indices into `[batch.., k indexed.., rest..]`. */
const places = fc
  .record({
    batch: extents(0, 1),
    lead: extents(1, 2),
    indexed: extents(1, 2),
    rest: extents(0, 2),
    writes: fc.boolean(),
  })
  .map(({ batch, lead, indexed, rest, writes }): Case => {
    const least = Math.min(...indexed);
    if (writes) {
      const inputs = [f32(...indexed, ...rest), index(least, ...lead, indexed.length), f32(...lead, ...rest)];
      return { type: 'ScatterND', opset: 18, inputs, attributes: { reduction: text('add') } };
    }
    const inputs = [f32(...batch, ...indexed, ...rest), index(least, ...batch, ...lead, indexed.length)];
    return { type: 'GatherND', inputs, attributes: { batch_dims: int(batch.length) } };
  });
property(test, 'any places picked or written', 'cdhnw', places, 80);

test.run();
