/** What ZeroMQ itself takes, with sockets and frames as our runtime uses them: one process sends, another one echoes. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { encodeFrame } from '../../runtime/frame.ts';
import { zeromq } from '../../runtime/modules.ts';
import { type Block, backToBack } from './measure.ts';

const FLOATS = 16;

/** Round trips over loopback between this process and one of its own. */
export async function zeromqAlone(): Promise<{ block: Block; close: () => void }> {
  const child = fork(fileURLToPath(import.meta.url), ['echo']);
  const [endpoint] = await once(child, 'message', { signal: AbortSignal.timeout(30_000) });
  const { Dealer } = zeromq();
  const socket = new Dealer({ linger: 0, receiveTimeout: 30_000 });
  socket.connect(String(endpoint));
  const tensor = { type: 'float32', dims: [1, FLOATS], data: new Float32Array(FLOATS) } as const;
  const block = backToBack(async () => {
    await socket.send(encodeFrame({ kind: 'tensor', inference: 0, channel: 0, tensor }));
    await socket.receive();
  });
  const close = () => {
    socket.close();
    child.kill();
  };
  return { block, close };
}

async function echo(): Promise<void> {
  process.on('disconnect', () => process.exit());
  const { Router } = zeromq();
  const socket = new Router({ linger: 0 });
  await socket.bind('tcp://127.0.0.1:*');
  process.send?.(socket.lastEndpoint);
  for await (const parts of socket) await socket.send(parts);
}

if (process.argv[2] === 'echo' && process.argv[1] === fileURLToPath(import.meta.url)) await echo();
