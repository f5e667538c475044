import { resolve } from "node:path";
import { parseDiskBudget } from "#core/disk-budget";
import { Fault } from "#core/fault";
import { checkRegistryHost } from "../registry-host.ts";
import { defineCommand } from "../command.ts";
import { defaultConfigFile, mergeConfigFile } from "../daemon-config.ts";
import { choice, type FlagValues, integer, list, text, toggle } from "../flags/flag.ts";
import { print } from "../surroundings.ts";
import { checkAddressPool, readAddressPool } from "../request/address-pool.ts";
import { pairsOf } from "../request/env.ts";
import { checkUlimit, readUlimit } from "../request/ulimit.ts";

const network = { group: "Network" };
const registry = { group: "Registry" };

/** The flags of `slipway daemon`. */
export const daemonFlags = {
  "add-runtime": list("OCI runtime to offer: NAME=PATH", { check: checkRuntime }),
  bip: text("Address and prefix of the default bridge, such as 172.30.0.1/16", network),
  bridge: text("Name of the default bridge", { ...network, short: "b" }),
  "cdi-spec-dir": list("Folder of CDI specifications; /etc/cdi and /var/run/cdi when not given"),
  "cgroup-parent": text("Parent of the containers' cgroups"),
  "config-file": text("JSON file with the same settings", { initial: defaultConfigFile }),
  "data-root": text("Folder of the durable state", { short: "g", initial: "/var/lib/slipway" }),
  debug: toggle("The same as --log-level debug", { short: "D" }),
  "default-address-pool": list("Where networks' subnets are taken from: base=10.0.0.0/8,size=24", {
    ...network,
    typeName: "pool-options",
    check: checkAddressPool,
  }),
  "default-runtime": text("OCI runtime for containers that name none"),
  "default-ulimit": list("Ulimit of containers that name none of its kind: NAME=SOFT[:HARD]", { check: checkUlimit }),
  "disk-budget": text(
    "Room that may be used before unused images and old logs are collected: 20GB of the daemon's own, 85% of the file system, or off",
    { initial: "85%" },
  ),
  "disk-budget-keep": list("Images that stay in any case: pattern of names such as postgres:*"),
  "exec-root": text("Folder of the state that a restart of the machine may forget", { initial: "/run/slipway" }),
  firewall: choice(
    "Who decides about connections from outside to published ports: respect (the host's own firewall does, as for local programs) or docker (they are open); containers' label io.slipway.expose decides otherwise",
    ["respect", "docker"],
    { ...network, initial: "respect" },
  ),
  group: text("Group that may use the unix sockets", { short: "G" }),
  host: list("Where to listen: unix:///path or, with TLS, tcp://host:port", { short: "H" }),
  init: toggle("Give containers that say nothing of it an init: it passes signals on and reaps processes"),
  "insecure-registry": list("Registry (HOST[:PORT] or CIDR) that may be spoken to without TLS", {
    ...registry,
    check: checkRegistryHost,
  }),
  label: list("Label of the daemon, shown by info", { check: checkLabel }),
  "log-driver": choice("Where containers' output is logged: local, json-file, syslog, fluentd or none", [
    "local",
    "json-file",
    "syslog",
    "fluentd",
    "none",
  ]),
  "log-level": choice("Least severity of the daemon's messages", ["debug", "info", "warn", "error", "fatal"], {
    short: "l",
    initial: "info",
  }),
  "log-opt": list("Option of the log driver, such as max-size=20m"),
  "max-concurrent-downloads": integer("Layers downloaded at once", { ...registry, initial: 3 }),
  mtu: integer("Greatest packet of the containers' networks", { ...network, initial: 1500 }),
  pidfile: text("File with the daemon's process id", { short: "p" }),
  "registry-mirror": list("Mirror of Docker Hub to ask first: https://host", registry),
  "scrub-days": integer("Days in which every stored blob is read and compared with its digest; 0: never", {
    initial: 7,
  }),
  "stop-containers-on-exit": toggle("Stop the containers when the daemon is stopped; otherwise they run on"),
  tls: toggle("Use TLS on tcp hosts; implied by --tlsverify", network),
  tlscacert: text("Authority that signs the clients' certificates", network),
  tlscert: text("The daemon's certificate", network),
  tlskey: text("The daemon's key", network),
  tlsverify: toggle("Use TLS, and let in only clients with a certificate", network),
  "userns-remap": text(
    "User (or user:group) whose subordinate ids the containers' users have on the host; default: a range of the daemon's own",
  ),
  validate: toggle("Check the settings, and end"),
} as const;

/** `slipway daemon`: names and config file are dockerd's. */
export const daemon = defineCommand({
  usage: "[OPTIONS]",
  summary: "Run the engine",
  description:
    "Runs until SIGTERM or Ctrl-C; containers run on, and the next daemon on the same folders takes them up.",
  examples: [
    ["slipway daemon", "On the default folders and socket"],
    ["slipway daemon --data-root /srv/d --exec-root /run/d -H unix:///run/d.sock", "A second one beside it"],
  ],
  flags: daemonFlags,
  args: [0, 0],
  run: async ({ around, changed, values }) => {
    const path = values["config-file"];
    const merged = mergeConfigFile(daemonFlags, values, changed, path, changed.has("config-file"));
    const options = daemonOptions(merged);
    if (values.validate) {
      await print(around, "configuration OK");
      return 0;
    }
    if (process.geteuid?.() !== 0) {
      throw new Fault("forbidden", "the daemon needs to be started with root privileges", {
        remedy: "Run: sudo slipway daemon",
      });
    }
    const { runDaemon } = await loadDaemon();
    await runDaemon(options);
    return 0;
  },
});

/** Loaded only here: no other command needs what a daemon is made of. */
async function loadDaemon() {
  return await import("#daemon");
}

type LogDriver = NonNullable<DaemonOptions["logDriver"]>;
type DaemonOptions = Parameters<Awaited<ReturnType<typeof loadDaemon>>["runDaemon"]>[0];

/** The settings as the daemon takes them; paths are absolute. Faults: `invalid`. */
export function daemonOptions(values: FlagValues<typeof daemonFlags>): DaemonOptions {
  const execRoot = resolve(values["exec-root"]);
  const usesTls = values.tls || values.tlsverify;
  const labels = values.label;
  return {
    dataRoot: resolve(values["data-root"]),
    execRoot,
    hosts: values.host.length > 0 ? values.host.map(hostOf) : [`unix://${execRoot}/slipway.sock`],
    ...(values.pidfile !== "" && { pidfile: resolve(values.pidfile) }),
    logLevel: (values.debug ? "debug" : values["log-level"]) as DaemonOptions["logLevel"],
    stopContainersOnExit: values["stop-containers-on-exit"],
    ...(values["default-runtime"] !== "" && { defaultRuntime: values["default-runtime"] }),
    runtimes: pairsOf(values["add-runtime"]),
    insecureRegistries: values["insecure-registry"],
    registryMirrors: values["registry-mirror"],
    maxConcurrentDownloads: positive("max-concurrent-downloads", values["max-concurrent-downloads"]),
    ...(values.bridge !== "" && { bridge: values.bridge }),
    ...(values.bip !== "" && { bip: values.bip }),
    addressPools: values["default-address-pool"].map(readAddressPool),
    mtu: positive("mtu", values.mtu),
    firewall: values.firewall as DaemonOptions["firewall"],
    defaultUlimits: values["default-ulimit"]
      .map(readUlimit)
      .map(({ Name: name, Soft: soft, Hard: hard }) => ({ name, soft, hard })),
    cdiFolders:
      values["cdi-spec-dir"].length > 0 ? values["cdi-spec-dir"].map((path) => resolve(path)) : defaultCdiFolders,
    ...(values["cgroup-parent"] !== "" && { cgroupParent: values["cgroup-parent"] }),
    init: values.init,
    ...(values["userns-remap"] !== "" && { usernsRemap: values["userns-remap"] }),
    ...(values["log-driver"] !== "" && { logDriver: values["log-driver"] as LogDriver }),
    logOptions: pairsOf(values["log-opt"]),
    labels,
    diskBudget: parseDiskBudget(values["disk-budget"]),
    diskBudgetKeep: values["disk-budget-keep"],
    scrubDays: notNegative("scrub-days", values["scrub-days"]),
    ...(values.group !== "" && { group: values.group }),
    ...(usesTls && { tls: tlsFiles(values) }),
  };
}

function tlsFiles(values: FlagValues<typeof daemonFlags>): NonNullable<DaemonOptions["tls"]> {
  const path = (name: "tlscacert" | "tlscert" | "tlskey"): string => {
    if (values[name] === "") throw new Fault("invalid", `--${name} is needed with TLS`);
    return resolve(values[name]);
  };
  return {
    ...(values.tlsverify && { ca: path("tlscacert") }),
    cert: path("tlscert"),
    key: path("tlskey"),
    verify: values.tlsverify,
  };
}

function hostOf(host: string): string {
  return host.includes("://") ? host : host.startsWith("/") ? `unix://${host}` : `tcp://${host}`;
}

function positive(name: string, value: number): number {
  if (value < 1) throw new Fault("invalid", `invalid ${name}: ${value}`);
  return value;
}

function notNegative(name: string, value: number): number {
  if (value < 0) throw new Fault("invalid", `invalid ${name}: ${value}`);
  return value;
}

const defaultCdiFolders = ["/etc/cdi", "/var/run/cdi"];

function checkRuntime(item: string): string {
  if (!/^[^=]+=\/.+$/.test(item)) throw new Error(`invalid runtime argument: ${item}: use NAME=/absolute/path`);
  return item;
}

function checkLabel(item: string): string {
  if (!/^[^=]+=./.test(item)) throw new Error(`bad attribute format: ${item}`);
  return item;
}
