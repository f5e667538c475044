import { blankSpec, type Container, type Containers, type Exec, type Session } from "#containers";
import { systemClock } from "#core/clock";
import type { Digest } from "#core/digest";
import type { Event } from "#core/event";
import { Fault } from "#core/fault";
import type { Log } from "#core/log";
import type { Disk } from "#disk";
import type { Host, OutputChunk } from "#host";
import type { Image, Images } from "#images";
import type { Network, Networks } from "#networks";
import type { Volumes } from "#volumes";
import type { ServerOptions } from "../server.ts";

/** Rooms for tests of the API alone: one container, one image, one network, and sessions that a test drives. */
export interface FakeRooms {
  readonly options: ServerOptions;
  /** Every call of a room: its name and what it was given. */
  readonly calls: { readonly name: string; readonly given: readonly unknown[] }[];
  /** Sessions that were opened, in order. */
  readonly sessions: FakeSession[];
  /** Ends every wait. */
  finishWaits(exitCode: number): void;
  readonly logged: string[];
}

export const fakeImageId = `sha256:${"1".repeat(64)}` as Digest;
export const fakeContainerId = "ab".repeat(32);

/** Rooms whose methods can be replaced one by one. */
export function fakeRooms(
  replace: {
    readonly containers?: Partial<Containers>;
    readonly images?: Partial<Images>;
    readonly networks?: Partial<Networks>;
    readonly volumes?: Partial<Volumes>;
  } = {},
  containerFields: Partial<Container> = {},
): FakeRooms {
  const calls: FakeRooms["calls"] = [];
  const sessions: FakeSession[] = [];
  const waits = Promise.withResolvers<{ exitCode: number }>();
  const container: Container = { ...fakeContainer(), ...containerFields };
  const containers: Partial<Containers> = {
    create: async () => ({ id: fakeContainerId, warnings: [] }),
    find: (name) => {
      if ([container.name, container.id].includes(name) || container.id.startsWith(name)) return container;
      throw new Fault("notFound", `No such container: ${name}`);
    },
    list: () => [container],
    start: async () => undefined,
    stop: async () => undefined,
    kill: async () => undefined,
    restart: async () => undefined,
    remove: async () => undefined,
    prune: async () => ({ removed: [], reclaimedBytes: 0 }),
    sizes: async (ids) => new Map(ids.map((id) => [id, { writableBytes: 10, rootBytes: 20 }])),
    wait: async (_name, _condition, signal) => {
      const aborted = new Promise<never>((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new Fault("cancelled", "gone")));
      });
      return { result: Promise.race([waits.promise, aborted]) };
    },
    top: async () => ({ titles: ["PID"], processes: [["1"]] }),
    resize: async () => undefined,
    connectNetwork: async () => undefined,
    disconnectNetwork: async () => undefined,
    attach: async () => openSession(sessions, container.spec.tty),
    createExec: async () => "ec".repeat(32),
    inspectExec: (id) => fakeExec(id),
    startExec: async (_id, { detach, tty }) => (detach ? undefined : openSession(sessions, tty)),
    ...replace.containers,
  };
  const images: Partial<Images> = {
    find: (name) => {
      if (name === "busybox" || name === "busybox:latest" || name === fakeImageId) return fakeImage;
      throw new Fault("notFound", `No such image: ${name}`);
    },
    list: () => [fakeImage],
    history: () => [
      { id: "<missing>", createdSeconds: 1, createdBy: "ADD x & y", tags: [], sizeBytes: 5, comment: "" },
    ],
    count: () => 1,
    layerUse: () => ({ layersBytes: 100, sharedBytes: new Map() }),
    openRoot: () => {
      throw new Fault("notFound", "no root");
    },
    ...replace.images,
  };
  const networks: Partial<Networks> = {
    list: () => [fakeNetwork],
    find: (name) => {
      if (name === "bridge") return fakeNetwork;
      throw new Fault("notFound", `network ${name} not found`);
    },
    membersOf: () => [],
    obstacles: async () => [],
    create: async () => ({ id: "c1".repeat(32), warnings: [] }),
    remove: async () => undefined,
    ...replace.networks,
  };
  const volumes: Partial<Volumes> = {
    list: async () => ({ volumes: [], warnings: [] }),
    find: async (name) => {
      throw new Fault("notFound", `get ${name}: no such volume`);
    },
    holdersOf: () => [],
    ...replace.volumes,
  };
  const logged: string[] = [];
  const options: ServerOptions = {
    host: fakeHost(),
    containers: recording(containers, calls) as Containers,
    images: recording(images, calls) as Images,
    networks: recording(networks, calls, "networks.") as Networks,
    volumes: recording(volumes, calls, "volumes.") as Volumes,
    disk: fakeDisk,
    log: fakeLog(logged),
    labels: [],
    insecureRegistries: [],
    registryMirrors: [],
    firewall: "respect",
    cdiFolders: [],
    logDriver: "local",
    logOptions: {},
  };
  return { options, calls, sessions, logged, finishWaits: (exitCode) => waits.resolve({ exitCode }) };
}

const fakeDisk: Disk = {
  state: async () => ({ budget: { kind: "off" }, usedBytes: 1, limitBytes: Infinity }),
  collect: async () => {
    throw new Fault("unsupported", "no disk");
  },
  nudge: () => undefined,
  async *check() {
    // All is sound.
  },
  close: async () => undefined,
};

/** A session whose output the test pushes and whose input it reads. */
export class FakeSession implements Session {
  readonly tty: boolean;
  readonly written: Buffer[] = [];
  disposed = false;
  readonly #inputEnd = Promise.withResolvers<string>();
  readonly #queue: (OutputChunk | { readonly stream: "systemerr"; readonly text: string })[] = [];
  #wake = Promise.withResolvers<void>();
  #ended = false;

  constructor(tty: boolean) {
    this.tty = tty;
  }

  /** Resolves with all input once the client's input has ended. */
  get inputEnded(): Promise<string> {
    return this.#inputEnd.promise;
  }

  say(stream: "stdout" | "stderr", text: string): void {
    this.#queue.push({ stream, timeNs: 0n, bytes: Buffer.from(text) });
    this.#wake.resolve();
  }

  finish(): void {
    this.#ended = true;
    this.#wake.resolve();
  }

  get output() {
    return this.#items();
  }

  async *#items() {
    for (;;) {
      yield* this.#queue.splice(0);
      if (this.#ended) return;
      if (this.#queue.length > 0) continue;
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.written.push(Buffer.from(bytes));
  }

  async endInput(): Promise<void> {
    this.#inputEnd.resolve(Buffer.concat(this.written).toString());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true;
    this.finish();
  }
}

function openSession(sessions: FakeSession[], tty: boolean): FakeSession {
  const session = new FakeSession(tty);
  sessions.push(session);
  return session;
}

/** The room with every method noting its calls; a method that the test has not given fails loudly. */
function recording(room: object, calls: FakeRooms["calls"], prefix = ""): object {
  return new Proxy(room, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function") throw new TypeError(`the fake has no ${String(name)}`);
      return (...given: unknown[]): unknown => {
        calls.push({ name: `${prefix}${String(name)}`, given });
        return Reflect.apply(method, target, given) as unknown;
      };
    },
  });
}

function fakeHost(): ServerOptions["host"] {
  const events: Event[] = [
    {
      type: "container",
      action: "exec_create: sh -c ls",
      actorId: fakeContainerId,
      attributes: { name: "web", image: "busybox", tier: "<front>" },
      timeNs: 1_700_000_000_123_456_789n,
    },
    { type: "image", action: "create", actorId: fakeImageId, attributes: { name: "busybox" }, timeNs: 1_700_000_001n },
  ];
  const host: Partial<Host> = {
    clock: systemClock,
    journal: {
      emit: () => undefined,
      read: async function* read() {
        yield* events;
      },
    },
    cgroups: {
      version: 2,
      controllers: new Set(["memory", "cpu", "pids"]),
      limits: { memory: true, swap: true, cpuQuota: true, cpuShares: true, pids: true },
    } as unknown as Host["cgroups"],
    machine: {
      kernelVersion: "6.1.0",
      operatingSystem: "Debian",
      osVersion: "12",
      architecture: "x86_64",
      cpus: 2,
      memoryBytes: 1_000_000,
      hostname: "here",
      seccomp: true,
      apparmor: false,
      throttleFolders: ["/sys/devices/system/cpu/cpu0/thermal_throttle"],
      ipv4Forwarding: true,
      ipv6Forwarding: false,
      ipv6Loopback: true,
    } as unknown as Host["machine"],
    paths: { dataRoot: "/var/lib/slipway", execRoot: "/run/slipway", instance: "slipway" },
    engineId: "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
    backingFileSystem: "extfs",
    runtimes: { default: "crun", paths: { crun: "/usr/bin/crun" } },
  };
  return host as ServerOptions["host"];
}

function fakeLog(logged: string[]): Log {
  return {
    debug: () => undefined,
    info: () => undefined,
    warn: (message) => void logged.push(message),
    error: (message) => void logged.push(message),
  };
}

const fakeImage: Image = {
  id: fakeImageId,
  config: {
    architecture: "amd64",
    os: "linux",
    created: "2026-01-01T00:00:00Z",
    rootfs: { type: "layers", diff_ids: [] },
  },
  repoTags: ["busybox:latest"],
  repoDigests: [],
  sizeBytes: 4_260_000,
  createdNs: 1_700_000_000_000_000_000n,
};

/** The default bridge. */
export const fakeNetwork: Network = {
  id: "b1".repeat(32),
  name: "bridge",
  driver: "bridge",
  createdNs: 1_700_000_000_000_000_000n,
  ipv4: true,
  ipv6: false,
  internal: false,
  attachable: false,
  ipam: {
    driver: "default",
    options: {},
    pools: [{ subnet: "172.17.0.0/16", gateway: "172.17.0.1", auxiliary: {} }],
  },
  options: {},
  labels: {},
};

function fakeExec(id: string): Exec {
  if (id !== "ec".repeat(32)) throw new Fault("notFound", `No such exec instance: ${id}`);
  return {
    id,
    containerId: fakeContainerId,
    spec: {
      command: ["sh", "-c", "ls"],
      tty: false,
      attach: { stdin: true, stdout: true, stderr: true },
      env: [],
      user: "",
      workingDir: "",
      privileged: false,
    },
    state: { status: "created" },
  };
}

function fakeContainer(): Container {
  return {
    id: fakeContainerId,
    name: "web",
    createdNs: 1_700_000_000_000_000_000n,
    imageId: fakeImageId,
    spec: {
      ...blankSpec,
      image: "busybox",
      stdinOpen: true,
      stdinOnce: true,
      attach: { stdin: true, stdout: true, stderr: true },
      exposedPorts: ["80/tcp"],
      ports: [{ protocol: "tcp", containerPort: 8080, hostIp: "", hostPort: { first: 0, last: 0 } }],
      endpoints: [{ network: "bridge", linkLocal: [], aliases: [], links: [], options: {}, gatewayPriority: 0 }],
    },
    process: {
      args: ["sh", "-c", "echo hello"],
      entrypoint: [],
      command: ["sh", "-c", "echo hello"],
      env: ["PATH=/bin"],
      workingDir: "",
      user: "",
      stopSignal: "SIGTERM",
      labels: { a: "b" },
      exposedPorts: ["80/tcp", "8080/tcp"],
    },
    hostname: "abababababab",
    mounts: [],
    state: { status: "running", pid: 42, startedNs: systemClock.now() - 3_200_000_000n },
    restartCount: 0,
    stoppedByHand: false,
    attached: {
      endpoints: [
        {
          id: "e1".repeat(32),
          networkId: "b1".repeat(32),
          networkName: "bridge",
          ipv4: { address: "172.17.0.2", prefixLength: 16, gateway: "172.17.0.1" },
          macAddress: "02:42:ac:11:00:02",
          interface: "eth0",
          dnsNames: ["web", "abababababab"],
        },
      ],
      ports: [
        { protocol: "tcp", containerPort: 8080, hostIp: "0.0.0.0", hostPort: 49_153 },
        { protocol: "tcp", containerPort: 8080, hostIp: "::", hostPort: 49_153 },
      ],
    },
    execIds: [],
    logPath: "/var/lib/slipway/containers/x/log",
    files: { hosts: "/h", hostname: "/n", resolvConf: "/r" },
  };
}
