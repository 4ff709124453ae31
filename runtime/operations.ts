/** Health and metrics over HTTP: whether the process lives, whether it takes inferences, what it has done. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { OpenDevice } from './behaviour.ts';
import { ShardonnxError } from './error.ts';
import type { DeviceManifest } from './manifest.ts';
import type { Metrics } from './metrics.ts';

export class Operations {
  #device: OpenDevice | null = null;
  #ready = false;

  private constructor(
    private readonly server: Server,
    /** null where nobody can ask for them. */
    private readonly metrics: Metrics | null,
  ) {}

  /** @param at where to listen, if anywhere @throws port-in-use */
  static async open(manifest: DeviceManifest, at: { host: string; port: number } | undefined): Promise<Operations> {
    const server = createServer();
    if (!at) return new Operations(server, null);
    const { metrics } = await import('./metrics.ts');
    const all = metrics(manifest, () => operations.#device);
    const operations = new Operations(server, all);
    server.on('request', (request, response) => void operations.#answer(all, request, response));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(cannotListen(at, cause)));
      server.listen(at.port, at.host, resolve);
    });
    // Nobody waits for it.
    server.unref();
    return operations;
  }

  /** Where it listens: `http://127.0.0.1:9090`; null: nowhere. */
  get url(): string | null {
    const address = this.server.address();
    if (address === null || typeof address === 'string') return null;
    return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
  }

  /** The device has met its peers. */
  opened(device: OpenDevice): void {
    this.#device = device;
    this.#ready = true;
    const over = () => this.draining();
    device.stopped.then(over, over);
  }

  /** It takes no further inferences. */
  draining(): void {
    this.#ready = false;
  }

  inference(ms: number): void {
    this.metrics?.inference(ms / 1000);
  }

  error(code: string): void {
    this.metrics?.error(code);
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  async #answer({ registry }: Metrics, { url, method }: IncomingMessage, response: ServerResponse): Promise<void> {
    const say = (status: number, text: string, type = 'text/plain') =>
      response.writeHead(status, { 'content-type': type }).end(text);
    if (method !== 'GET' && method !== 'HEAD') say(405, 'GET\n');
    else if (url === '/healthz') say(200, 'ok\n');
    else if (url === '/readyz') say(this.#ready ? 200 : 503, this.#ready ? 'ready\n' : 'not ready\n');
    else if (url === '/metrics') say(200, await registry.metrics(), registry.contentType);
    else say(404, '/healthz, /readyz, /metrics\n');
  }
}

function cannotListen({ host, port }: { host: string; port: number }, cause: Error): ShardonnxError {
  const used = 'code' in cause && cause.code === 'EADDRINUSE';
  return new ShardonnxError(used ? 'port-in-use' : 'bad-endpoint', `--http ${host}:${port}: ${cause.message}`, {
    hint: used
      ? 'stop what listens there, or give another port'
      : 'give a port, or an address of this machine and a port',
    cause,
  });
}
