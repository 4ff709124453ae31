/** A container image for one device. */
import { type DeployedDevice, HTTP_PORT } from './deployment.ts';

/** Copies by name: neither keys nor inputs that lie in the folder get into an image. To be built in the build's folder. */
export const containerfile = ({ device, port, listens, files }: DeployedDevice): string => `FROM node:20-slim
WORKDIR /app
COPY ${['package.json', '.npmrc'].map((file) => `${device}/${file}`).join(' ')} ./
RUN npm install --omit=dev --no-audit --no-fund && npm cache clean --force
COPY ${device}/segments ./segments
COPY ${[...files]
  .sort()
  .map((file) => `${device}/${file}`)
  .join(' ')} ./
USER node
EXPOSE ${listens ? `${port} ` : ''}${HTTP_PORT}
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "main.js"]
`;
