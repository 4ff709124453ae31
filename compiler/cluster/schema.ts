/** The form of a cluster file: what may be written, what is assumed where nothing is, and its JSON Schema for editors. */
import { z } from 'zod';
import type { Link, Power } from './cluster.ts';
import { LINK_NAMES, NAMED_LINKS, PLAIN } from './named-links.ts';
import { quantity } from './quantity.ts';

const PROVIDERS = ['cpu', 'cuda', 'tensorrt', 'dml', 'coreml', 'webgpu', 'qnn'] as const;

const watts = quantity('power', '0 W', '100 kW');

const power = z
  .strictObject({
    idle: watts.optional().describe('While nothing is done. Default: 0 W.'),
    compute: watts.describe('While computing.'),
    send: watts.optional().describe('While sending. Default: as idle.'),
    receive: watts.optional().describe('While receiving. Default: as idle.'),
  })
  .transform(({ idle = 0, compute, send = idle, receive = idle }, context): Power => {
    for (const [state, drawn] of Object.entries({ compute, send, receive })) {
      if (drawn >= idle) continue;
      const message = `${drawn} W is below idle, ${idle} W: write what the whole device draws in that state`;
      context.addIssue({ code: 'custom', path: [state], message });
    }
    return { idle, compute, send, receive };
  });

const device = z
  .strictObject({
    speed: z
      .number()
      .min(1e-6, {
        error: ({ input }) => (Number(input) > 0 ? 'is too small, the least is 1e-6' : 'must be above zero'),
      })
      .max(1e6, 'is too large, the most is 1e6')
      .optional()
      .describe('Relative to this machine. Default: 1.'),
    profile: z
      .string()
      .min(1)
      .optional()
      .describe('Measured costs instead of a speed: path of a profile, from this file.'),
    memory: quantity('size', '1 B', '1000 TB').optional().describe('Limit for weights and activations. Default: none.'),
    bits: z
      .union([z.literal(8), z.literal(16), z.literal(32)], 'elements have 8, 16 or 32 bits')
      .optional()
      .describe(
        'Of an element, in memory and as it is sent, for plan --pareto; what is compiled has its own. Default: 32.',
      ),
    power: power
      .optional()
      .describe('What the whole device draws in each state. Default: unknown, it counts as nothing.'),
    threads: z.int().positive().max(4096).optional().describe("onnxruntime's threads. Default: one a core."),
    providers: z
      .array(
        z.enum(PROVIDERS, {
          error: ({ input }) => `"${input}" is no execution provider; known are ${PROVIDERS.join(', ')}`,
        }),
      )
      .min(1)
      .optional()
      .describe("onnxruntime's execution providers, the preferred one first. Default: cpu."),
    endpoint: z
      .string()
      .regex(/^tcp:\/\/[^\s:]+:\d+$/, 'an endpoint is tcp://host:port')
      .refine((text) => Number(text.split(':').at(-1)) <= 65_535, 'the last port is 65535')
      .optional()
      .describe('Where the device listens: tcp://host:port. Default: told when it is started.'),
  })
  .transform((given, context) => {
    if (given.profile !== undefined && given.speed !== undefined) {
      const message = 'a profile says how fast the device is: leave out one of the two';
      context.addIssue({ code: 'custom', path: ['speed'], message });
    }
    return { ...given, speed: given.speed ?? 1 };
  });

const frame = z.strictObject({
  payload: quantity('size', '1 B', '1 GB').describe('Bytes of a message in one frame.'),
  overhead: quantity('size', '0 B', '1 MB').describe('Bytes that each frame adds.'),
});

const link = z
  .strictObject({
    between: z.tuple([z.string(), z.string()]).describe('The two devices.'),
    link: z
      .enum(LINK_NAMES, { error: ({ input }) => `"${input}" is no named link; named are ${LINK_NAMES.join(', ')}` })
      .optional()
      .describe('A named link; fields given beside it count instead of its own.'),
    bandwidth: quantity('bandwidth', '1 bit/s', '10 TB/s')
      .optional()
      .describe('Of each direction, or of both together where duplex is half. Needed unless the link is named.'),
    latency: quantity('time', '0 s', '60 s')
      .optional()
      .describe('One way, after the last byte has left. Default: 0 s.'),
    overhead: quantity('time', '0 s', '60 s')
      .optional()
      .describe('Of each message, whatever its size, during which the link is busy. Default: 0 s.'),
    burst: quantity('size', '0 B', '1 GB')
      .optional()
      .describe('Bytes that pass at once where the link was at rest, as shapers let them. Default: 0 B.'),
    frame: frame.optional().describe('What messages are cut into. Default: nothing is added.'),
    energy: quantity('energy per byte', '0 J/B', '1 J/B')
      .optional()
      .describe('Of the link, a byte sent. Default: 0 J/B.'),
    power: quantity('power', '0 W', '100 kW')
      .optional()
      .describe('Of the link, from the first byte sent to the last received. Default: 0 W.'),
    duplex: z.enum(['full', 'half']).optional().describe('half: both directions take turns. Default: full.'),
  })
  .meta({ anyOf: [{ required: ['bandwidth'] }, { required: ['link'] }] })
  .transform(({ between, link: name, ...given }, context): Link => {
    const named = name ? NAMED_LINKS[name] : undefined;
    const bandwidth = given.bandwidth ?? named?.bandwidth;
    if (bandwidth === undefined) {
      const message = `is needed, e.g. 93 Mbit/s, or a named link: ${LINK_NAMES.join(', ')}`;
      context.addIssue({ code: 'custom', path: ['bandwidth'], message });
      return z.NEVER;
    }
    const otherwise = named ?? PLAIN;
    return {
      between,
      bandwidth,
      latency: given.latency ?? otherwise.latency,
      overhead: given.overhead ?? otherwise.overhead,
      burst: given.burst ?? otherwise.burst,
      frame: given.frame ?? otherwise.frame,
      energy: given.energy ?? otherwise.energy,
      power: given.power ?? otherwise.power,
      duplex: given.duplex ?? otherwise.duplex,
    };
  });

const deviceName = z.string().regex(/^[A-Za-z][\w-]*$/, 'a device name is a letter, then letters, digits, _ or -');

export const clusterFile = z
  .strictObject({
    $schema: z.string().optional().describe('Path of this schema, for editors.'),
    devices: z
      // `robot:` with nothing after it is a device with every default.
      .record(
        deviceName,
        device.nullable().transform((given) => given ?? { speed: 1 }),
      )
      .describe('The machines, by name.'),
    links: z.array(link).default([]).describe('Which devices are joined, and how well.'),
    inputs: z.string().optional().describe("Who holds the model's inputs. Default: the first device."),
    outputs: z.string().optional().describe('Who wants the outputs. Default: as inputs.'),
  })
  .meta({
    title: 'shardonnx cluster file',
    description: 'The machines that share a model, and the links between them.',
  });

/** As cluster.schema.json holds it. Draft 7 is what editors know best. */
export const clusterJsonSchema = (): object =>
  z.toJSONSchema(clusterFile, { io: 'input', target: 'draft-7', unrepresentable: 'any' });
