/** The door of `api/server/`: the Engine API over the rooms' doors. It translates and does nothing else. */
import type { Builder } from "#build";
import type { Containers, LogDriver } from "#containers";
import type { Log } from "#core/log";
import type { Disk } from "#disk";
import type { Host } from "#host";
import type { Images } from "#images";
import type { FirewallSetting, Networks } from "#networks";
import type { Volumes } from "#volumes";
import type { TlsFiles } from "./http/listener.ts";

/** What the API is served from. */
export interface ServerOptions {
  readonly host: Pick<
    Host,
    "clock" | "journal" | "cgroups" | "machine" | "paths" | "runtimes" | "engineId" | "backingFileSystem"
  >;
  readonly images: Images;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly containers: Containers;
  readonly disk: Disk;
  /** Absent: nothing can be built. */
  readonly builder?: Builder;
  readonly log: Log;
  /** `key=value`, shown by `/info`. */
  readonly labels: readonly string[];
  readonly insecureRegistries: readonly string[];
  readonly registryMirrors: readonly string[];
  /** Of containers that ask for none. */
  /** Undefined: nobody chose one. */
  readonly logDriver?: LogDriver;
  readonly logOptions: Readonly<Record<string, string>>;
  /** Whether containers that say nothing of it get an init. */
  readonly init?: boolean;
  /** Set when containers have user namespaces unless they ask for none. */
  readonly usernsRemap?: string;
  /** Folders of CDI specifications. */
  /** Who decides about published ports. */
  readonly firewall: FirewallSetting;
  readonly cdiFolders: readonly string[];
  /** Group of the unix sockets; absent: `docker` if there is one. */
  readonly group?: string;
  /** Needed for `tcp://`, with `verify`. */
  readonly tls?: TlsFiles;
}

/** The Engine API's server. */
export interface Server {
  /** Listens on all addresses (`unix:///path`, `tcp://address:port`) or on none. Faults: `invalid`, `conflict`. */
  listen(hosts: readonly string[]): Promise<void>;
  /** Stops listening and ends every connection; those that work get a moment to finish. */
  close(): Promise<void>;
}

export { openServer } from "./open.ts";
export type { TlsFiles } from "./http/listener.ts";
