/**
 * A device's keys: its own secret one, and the public ones of all. JSON Web Keys (RFC 8037), which are CURVE's in another spelling.
 *
 *     keys/public.json           {"keys":[{"kty":"OKP","crv":"X25519","kid":"robot","x":"…"}, …]}     may be copied around
 *     keys/robot.secret.json     {"kty":"OKP","crv":"X25519","kid":"robot","x":"…","d":"…"}           robot's alone
 */
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ShardonnxError } from './error.ts';

/** Inside a device's folder. */
export const KEYS_FOLDER = 'keys';
export const PUBLIC_KEYS = 'public.json';
export const secretKeyFile = (device: string): string => `${device}.secret.json`;

export interface PublicKey {
  readonly kty: 'OKP';
  readonly crv: 'X25519';
  /** The device. */
  readonly kid: string;
  /** 32 bytes, base64url. */
  readonly x: string;
}

/** As ZeroMQ wants it, in Z85. */
export interface CurveKeys {
  readonly curvePublicKey: string;
  readonly curveSecretKey: string;
}

export class Keys {
  readonly #public: ReadonlyMap<string, Buffer>;

  constructor(
    private readonly device: string,
    private readonly secret: KeyObject,
    keys: readonly PublicKey[],
  ) {
    this.#public = new Map(keys.map(({ kid, x }) => [kid, Buffer.from(x, 'base64url')]));
  }

  /** @throws keys-invalid, key-missing, key-exposed */
  static async read(folder: string, device: string): Promise<Keys> {
    const keys = await readPublicKeys(join(folder, PUBLIC_KEYS));
    const file = join(folder, secretKeyFile(device));
    const key = await readJson(file);
    await checkSecrecy(file);
    if (!isPublicKey(key) || !('d' in key) || typeof key.d !== 'string' || key.kid !== device) {
      throw keysInvalid(file, `is no secret key of ${device}`);
    }
    const secret = secretOf(file, key.x, key.d);
    const listed = keys.find(({ kid }) => kid === device);
    const { x } = createPublicKey(secret).export({ format: 'jwk' });
    if (listed?.x !== x) throw keysInvalid(file, `does not belong to ${device}'s key in ${PUBLIC_KEYS}`);
    return new Keys(device, secret, keys);
  }

  own(): CurveKeys {
    const { d = '' } = this.secret.export({ format: 'jwk' });
    return { curvePublicKey: this.of(this.device), curveSecretKey: z85(Buffer.from(d, 'base64url')) };
  }

  /** In Z85. @throws key-missing */
  of(device: string): string {
    return z85(this.#key(device));
  }

  /** Whether the key is one of these devices'. */
  belongs(key: Uint8Array, devices: readonly string[]): boolean {
    return devices.some((device) => this.#public.get(device)?.equals(key));
  }

  /**
   * What only this device and `peer` can compute of a text. ZeroMQ tells which keys may connect, but not which of them a
   * connection has: with this, a device that is let in cannot say that it is another.
   * @throws key-missing
   */
  proof(peer: string, text: string): string {
    const x = this.#key(peer).toString('base64url');
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
    const shared = diffieHellman({ privateKey: this.secret, publicKey });
    return createHmac('sha256', shared).update(text).digest('base64url');
  }

  proves(peer: string, text: string, proof: string): boolean {
    if (!this.#public.has(peer)) return false;
    const [expected, given] = [Buffer.from(this.proof(peer, text)), Buffer.from(proof)];
    return expected.length === given.length && timingSafeEqual(expected, given);
  }

  #key(device: string): Buffer {
    const key = this.#public.get(device);
    if (key) return key;
    throw new ShardonnxError('key-missing', `${PUBLIC_KEYS} has no key of ${device}`, { hint: MAKE_KEYS });
  }
}

/**
 * The keys in `folder`; if none is given those in keys/ of the device's own folder, where there are any.
 * @throws keys-invalid, key-exposed
 */
export async function findKeys(
  directory: string,
  device: string,
  folder: string | undefined,
): Promise<Keys | undefined> {
  if (folder !== undefined) return Keys.read(folder, device);
  const own = join(directory, KEYS_FOLDER);
  const there = await stat(own).then(
    () => true,
    () => false,
  );
  return there ? Keys.read(own, device) : undefined;
}

/** @throws keys-invalid */
export async function readPublicKeys(file: string): Promise<PublicKey[]> {
  const value = await readJson(file);
  const keys = typeof value === 'object' && value !== null && 'keys' in value ? value.keys : null;
  if (!Array.isArray(keys)) throw keysInvalid(file, 'is no list of keys');
  const wrong = keys.findIndex((key) => !isPublicKey(key));
  if (wrong >= 0) throw keysInvalid(file, `has no X25519 key of a device at keys[${wrong}]`);
  return keys;
}

function isPublicKey(value: unknown): value is PublicKey {
  if (typeof value !== 'object' || value === null) return false;
  if (!('kty' in value && 'crv' in value && 'kid' in value && 'x' in value)) return false;
  const { kty, crv, kid, x } = value;
  if (kty !== 'OKP' || crv !== 'X25519' || typeof kid !== 'string' || typeof x !== 'string') return false;
  return Buffer.from(x, 'base64url').length === 32;
}

function secretOf(file: string, x: string, d: string): KeyObject {
  try {
    return createPrivateKey({ key: { kty: 'OKP', crv: 'X25519', x, d }, format: 'jwk' });
  } catch {
    // The reason might quote the key.
    throw keysInvalid(file, 'is no X25519 key');
  }
}

/** The group may read: engines hand secrets to containers so. */
async function checkSecrecy(file: string): Promise<void> {
  const { mode } = await stat(file);
  if (process.platform === 'win32' || (mode & 0o007) === 0) return;
  throw new ShardonnxError('key-exposed', `everyone on this machine may read or write ${file}`, {
    hint: `chmod 600 ${file}`,
  });
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause) => {
    throw keysInvalid(file, cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code})`);
  });
  try {
    return JSON.parse(text);
  } catch {
    throw keysInvalid(file, 'is not JSON');
  }
}

const MAKE_KEYS = 'make keys of all devices with "shardonnx keys", and copy public.json and its own secret to each';

const keysInvalid = (file: string, what: string) =>
  new ShardonnxError('keys-invalid', `${file} ${what}`, { hint: MAKE_KEYS });

const Z85 = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#';

/** ZeroMQ's spelling of binary data (RFC 32): 4 bytes in 5 characters. */
function z85(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 4) {
    const word = bytes.readUInt32BE(at);
    for (let power = 85 ** 4; power >= 1; power /= 85) text += Z85[Math.floor(word / power) % 85];
  }
  return text;
}
