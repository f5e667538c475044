/** The composition root: builds each room once, hands it to the next, and takes them down in reverse. */
import { existsSync, readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Fault } from "#core/fault";
import { isAlive } from "#core/is-alive";
import { type Log, type LogLevel, openLog } from "#core/log";
import { openBuilder } from "#build";
import { checkLogging, type LogDriver, openContainers, type Ulimit } from "#containers";
import type { DiskBudget } from "#core/disk-budget";
import { openDisk } from "#disk";
import { openHost, startDetached } from "#host";
import { openImages } from "#images";
import { type FirewallSetting, openNetworks } from "#networks";
import { openVolumes } from "#volumes";
import { openServer } from "#api/server";

/** What `slipway daemon` was asked for, by flags and config file; the names are dockerd's. */
export interface DaemonOptions {
  readonly dataRoot: string;
  readonly execRoot: string;
  /** `unix:///run/slipway/slipway.sock`, `tcp://127.0.0.1:2376` (with TLS). At least one. */
  readonly hosts: readonly string[];
  readonly pidfile?: string;
  readonly logLevel: LogLevel;
  /** Whether SIGTERM stops the containers too; otherwise they run on. */
  readonly stopContainersOnExit: boolean;
  readonly defaultRuntime?: string;
  /** `--add-runtime name=path`. */
  readonly runtimes: Readonly<Record<string, string>>;
  readonly insecureRegistries: readonly string[];
  readonly registryMirrors: readonly string[];
  readonly maxConcurrentDownloads: number;
  /** `--bridge`: name of the default bridge. */
  readonly bridge?: string;
  /** `--bip`: address and prefix of the default bridge. */
  readonly bip?: string;
  /** `--default-address-pool`: where networks' subnets are taken from; empty: the built-in ones. */
  readonly addressPools: readonly { readonly base: string; readonly size: number }[];
  readonly mtu: number;
  /** `--firewall`: whether the host's own firewall decides about published ports. */
  readonly firewall: FirewallSetting;
  readonly cgroupParent?: string;
  /** `--userns-remap`: whose ids the containers' users have on the host. */
  readonly usernsRemap?: string;
  /** `--init`: containers that say nothing get an init. */
  readonly init: boolean;
  /** `--default-ulimit`. */
  readonly defaultUlimits: readonly Ulimit[];
  /** `--cdi-spec-dir`: folders of CDI specifications. */
  readonly cdiFolders: readonly string[];
  readonly logDriver?: LogDriver;
  readonly logOptions: Readonly<Record<string, string>>;
  /** `--label key=value` of the daemon, shown by `info`. */
  readonly labels: readonly string[];
  /** `--disk-budget`: how much may be used before what nobody needs is collected. */
  readonly diskBudget: DiskBudget;
  /** `--disk-budget-keep`: names of images that stay in any case. */
  readonly diskBudgetKeep: readonly string[];
  /** `--scrub-days`: in how many days every blob is read and compared with its digest; 0: never. */
  readonly scrubDays: number;
  /** Group that may use the unix sockets. */
  readonly group?: string;
  readonly tls?: { readonly ca?: string; readonly cert: string; readonly key: string; readonly verify: boolean };
}

/** Runs a daemon until SIGTERM or SIGINT; resolves when all is taken down. Faults: what keeps it from starting. */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  process.umask(0o022);
  checkLogging({ driver: options.logDriver ?? "json-file", options: options.logOptions });
  const stop = stopSignal();
  const log = openLog(options.logLevel, (line) => process.stderr.write(line));
  await using undo = new AsyncDisposableStack();
  const host = undo.use(
    await openHost({
      dataRoot: options.dataRoot,
      execRoot: options.execRoot,
      shimPath: asset("build/shim/slipway-shim"),
      runtimes: options.runtimes,
      ...(options.defaultRuntime !== undefined && { defaultRuntime: options.defaultRuntime }),
    }),
  );
  if (options.pidfile !== undefined) await holdPidfile(undo, options.pidfile);
  const { server, close } = await openRooms(options, host, log);
  undo.defer(close);
  await server.listen(options.hosts);
  log.info("slipway is ready", { pid: process.pid, hosts: options.hosts.join(" "), instance: host.paths.instance });
  const signal = await stop;
  log.info(`${signal}: stopping`, { containers: options.stopContainersOnExit ? "stopped too" : "run on" });
}

type Host = Awaited<ReturnType<typeof openHost>>;

async function openRooms(options: DaemonOptions, host: Host, log: Log) {
  const shared = {
    database: host.database,
    shim: host.shim,
    paths: host.paths,
    clock: host.clock,
    events: host.journal,
  };
  const images = await openImages({
    ...shared,
    bootId: host.machine.bootId,
    insecureRegistries: options.insecureRegistries,
    registryMirrors: options.registryMirrors,
    maxConcurrentDownloads: options.maxConcurrentDownloads,
    embeddedArchive: asset("build/hello/hello.tar"),
  });
  const networks = await openNetworks({
    log,
    ...shared,
    machine: host.machine,
    startDetached,
    addressPools: options.addressPools,
    mtu: options.mtu,
    firewall: options.firewall,
    warmSlots: 8,
    mapsUsers: options.usernsRemap !== undefined,
    ...(options.bip !== undefined && { bridgeAddress: options.bip }),
    ...(options.bridge !== undefined && { bridgeName: options.bridge }),
  });
  const volumes = await openVolumes({ ...shared, log });
  const containers = await openContainers({
    host,
    images,
    networks,
    volumes,
    clock: host.clock,
    events: host.journal,
    log,
    shimPath: asset("build/shim/slipway-shim"),
    onUnexpected: (error) => log.error(error instanceof Error ? (error.stack ?? error.message) : String(error)),
    defaultUlimits: options.defaultUlimits,
    cdiFolders: options.cdiFolders,
    ...(options.cgroupParent !== undefined && { cgroupParent: options.cgroupParent }),
    ...(options.usernsRemap !== undefined && { usernsRemap: options.usernsRemap }),
  });
  const builder = await openBuilder({ ...shared, host, images, containers, log });
  const disk = openDisk({
    host,
    images,
    containers,
    volumes,
    builder,
    events: host.journal,
    log,
    budget: options.diskBudget,
    keep: options.diskBudgetKeep,
    scrubDays: options.scrubDays,
  });
  const server = openServer({ ...options, host, images, networks, volumes, containers, builder, disk, log });
  const close = async (): Promise<void> => {
    await server.close();
    await disk.close();
    await builder.close();
    await containers.close({ stopContainers: options.stopContainersOnExit });
    await networks.close();
  };
  return { server, close };
}

/** Resolves with the first stop signal's name; a second one while stopping ends the process at once. */
async function stopSignal(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let asked = false;
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.on(name, () => {
      if (asked) process.exit(1);
      asked = true;
      resolve(name);
    });
  }
  return await promise;
}

async function holdPidfile(undo: AsyncDisposableStack, path: string): Promise<void> {
  const other = existsSync(path) ? Number(readFileSync(path, "utf8")) : 0;
  if (other > 0 && other !== process.pid && isAlive(other)) {
    throw new Fault("conflict", `process with PID ${other} is still running (pid file ${path})`, {
      remedy: `Stop it, or remove ${path} when that process is not a slipway daemon.`,
    });
  }
  await writeFile(path, String(process.pid), { mode: 0o644 });
  undo.defer(async () => await rm(path, { force: true }));
}

/** A built file of this installation; found from the sources and from the bundle alike. */
function asset(path: string): string {
  for (let folder = import.meta.dirname; folder !== "/"; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json")) && existsSync(join(folder, path))) return join(folder, path);
  }
  throw new Fault("unavailable", `${path} is not built`, {
    remedy: "Run ./slipway version once as root: it builds what is missing.",
  });
}
