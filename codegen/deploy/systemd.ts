/** A systemd unit for one device: its folder in /opt/shardonnx, keys in /etc/shardonnx/keys, more settings in /etc/shardonnx. */
import { type DeployedDevice, HTTP_PORT, memoryLimit } from './deployment.ts';

/** One word of a unit's line. */
const quoted = (text: string): string =>
  /^[\w./=:-]+$/.test(text)
    ? text
    : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`;

export function systemd(own: DeployedDevice): string {
  const { device, listens, endpoint, port, starts, data } = own;
  const state = `/var/lib/shardonnx/${device}`;
  const limit = memoryLimit(own);
  const args = data.map((arg) => quoted(arg.replace('=/data/', `=${state}/`)));
  const secret = `${device}.secret.json`;
  return [
    `# Copy ${device}/ to /opt/shardonnx/${device}, run npm install in it, and copy its keys to /etc/shardonnx/keys.`,
    `# /etc/shardonnx/${device}.env may say more, as SHARDONNX_PEER=server=tcp://10.0.0.2:7000 where the cluster file names no endpoint.`,
    '[Unit]',
    `Description=shardonnx ${device}`,
    'Wants=network-online.target',
    'After=network-online.target',
    '',
    '[Service]',
    'Type=exec',
    `WorkingDirectory=/opt/shardonnx/${device}`,
    `ExecStart=${['/usr/bin/env', 'node', 'main.js', ...args].join(' ')}`,
    ...(listens && !endpoint ? [`Environment=SHARDONNX_LISTEN=tcp://0.0.0.0:${port}`] : []),
    `Environment=SHARDONNX_KEYS=%d SHARDONNX_HTTP=${HTTP_PORT} SHARDONNX_CONNECT_TIMEOUT=300`,
    ...(starts ? [`Environment=SHARDONNX_OUTPUT=${state}/out`] : []),
    `EnvironmentFile=-/etc/shardonnx/${device}.env`,
    'LoadCredential=public.json:/etc/shardonnx/keys/public.json',
    `LoadCredential=${secret}:/etc/shardonnx/keys/${secret}`,
    `StateDirectory=shardonnx/${device}`,
    `Restart=${starts ? 'on-failure' : 'always'}`,
    'RestartSec=2',
    'TimeoutStopSec=60',
    ...(limit !== undefined ? [`MemoryMax=${limit}`] : []),
    'DynamicUser=yes',
    'NoNewPrivileges=yes',
    'ProtectSystem=strict',
    'ProtectHome=yes',
    'PrivateTmp=yes',
    'ProtectKernelTunables=yes',
    'ProtectControlGroups=yes',
    'RestrictSUIDSGID=yes',
    'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ].join('\n');
}
