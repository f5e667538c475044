/** The door of `api/client/`, and the package's SDK: a typed client of the Engine API of Slipway and of any other engine that speaks it. */
import type { SecureContextOptions } from "node:tls";
import { defaultHost, parseAddress } from "./address.ts";
import { BuildsClient } from "./builds.ts";
import { ContainersClient } from "./containers.ts";
import { ExecsClient } from "./execs.ts";
import { ImagesClient } from "./images.ts";
import { NetworksClient } from "./networks.ts";
import { SystemClient } from "./system.ts";
import { VolumesClient } from "./volumes.ts";
import { Transport } from "./transport.ts";

/** One engine. Connections are opened as calls need them; `close` (or `using`) ends the idle ones. */
export interface Client extends Disposable {
  readonly builds: BuildsClient;
  readonly containers: ContainersClient;
  readonly execs: ExecsClient;
  readonly images: ImagesClient;
  readonly networks: NetworksClient;
  readonly volumes: VolumesClient;
  readonly system: SystemClient;
  /** The API version in use; settled by the first answer. */
  readonly apiVersion: string;
  close(): void;
}

export interface ClientOptions {
  /** `unix:///path`, `tcp://host:port`, `https://host:port`; default SLIPWAY_HOST, then DOCKER_HOST, then Slipway's socket. */
  readonly host?: string;
  /** Keys and authorities; giving it (even empty) makes tcp:// hosts speak TLS. */
  readonly tls?: SecureContextOptions & { readonly rejectUnauthorized?: boolean };
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Fixes the API version, such as `1.44`; otherwise the newest that both sides know. */
  readonly apiVersion?: string;
}

/** Opens a client. Faults: `invalid` for a host that cannot be parsed; nothing is connected yet. */
export function openClient(options: ClientOptions = {}): Client {
  const host = options.host ?? (process.env["SLIPWAY_HOST"] || process.env["DOCKER_HOST"] || defaultHost);
  const transport = new Transport({ ...options, host, address: parseAddress(host, options.tls !== undefined) });
  const close = (): void => transport.close();
  return {
    builds: new BuildsClient(transport),
    containers: new ContainersClient(transport),
    execs: new ExecsClient(transport),
    images: new ImagesClient(transport),
    networks: new NetworksClient(transport),
    volumes: new VolumesClient(transport),
    system: new SystemClient(transport),
    get apiVersion() {
      return transport.version;
    },
    close,
    [Symbol.dispose]: close,
  };
}

export { defaultHost } from "./address.ts";
export type { BuildCall } from "./builds.ts";
export type { Connection, OutputPiece } from "./connection.ts";
export type { ContainerPath, PutArchiveOptions } from "./files.ts";
export type { AttachOptions, LogOptions, StopOptions } from "./containers.ts";
export { ConnectionFault, EngineFault } from "./engine-fault.ts";
export type { CommitOptions, ImportOptions, PullOptions } from "./images.ts";
export type { Ping, PruneBuildCacheOptions } from "./system.ts";
export type * from "#api/wire";
