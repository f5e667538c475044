import { execFileSync } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Digest } from "#core/digest";
import type { Event } from "#core/event";
import { Fault } from "#core/fault";
import type { ContainerDefaults } from "#core/oci";
import { type Host, openHost } from "#host";
import { type Images, type RootFilesystem } from "#images";
import { type Networks, openNetworks } from "#networks";
import { openVolumes } from "#volumes";
import type { Containers, ContainerSpec, Session } from "../containers.ts";
import { openContainers } from "../open.ts";
import { plainSpec } from "./plain-spec.ts";

const repository = resolve(import.meta.dirname, "../../..");
/** The shim that tests build. */
export const shimPath = join(repository, "build/shim/slipway-shim");
const applets =
  "sh true false sleep cat echo ls id env pwd hostname grep head seq stty kill test touch mkdir mount ps dd tail wc stat unshare chmod";

/** For tests: the room on a real machine (host, shim, networks, crun), with an image store that knows one busybox image. */
export interface Bed extends AsyncDisposable {
  readonly dir: string;
  readonly host: Host;
  readonly networks: Networks;
  readonly events: Event[];
  /** Faults that nobody waited for; a test that ends with some of them has failed. */
  readonly unexpected: unknown[];
  containers: Containers;
  /** Image configuration from now on. */
  defaults: ContainerDefaults;
  /** Ends the room as a crash would (nothing is told to the containers) and opens it anew. */
  reopen(): Promise<void>;
  /** Creates, and answers the id. */
  create(spec: Partial<ContainerSpec>): Promise<string>;
  /** Runs to the end with everything attached. */
  run(spec: Partial<ContainerSpec>): Promise<{ exitCode: number; stdout: string; stderr: string; id: string }>;
  /** Runs a shell text in a running container. */
  exec(id: string, command: readonly string[]): Promise<{ exitCode: number; stdout: string; stderr: string }>;
}

/** Opens the room in a folder of its own, or in the one that a killed process left. */
export async function openBed(left?: string): Promise<Bed> {
  const dir = left ?? (await makeBedFolder());
  const rootfs = join(dir, "image");
  const host = await openHost({ dataRoot: join(dir, "data"), execRoot: join(dir, "exec"), shimPath });
  const events: Event[] = [];
  const sink = { emit: (event: Omit<Event, "timeNs">) => void events.push({ timeNs: host.clock.now(), ...event }) };
  const networks = await openNetworks({ ...host, events: sink, mtu: 1500, warmSlots: 2 });
  const unexpected: unknown[] = [];
  const open = async (): Promise<Containers> =>
    await openContainers({
      host,
      images: fakeImages(host, rootfs, () => bed.defaults),
      networks,
      volumes: await openVolumes({ ...host, events: sink }),
      clock: host.clock,
      events: sink,
      shimPath,
      onUnexpected: (error) => void unexpected.push(error),
    });
  const bed = {
    dir,
    host,
    networks,
    events,
    unexpected,
    defaults: { Cmd: ["sh"], Env: ["PATH=/bin"] } as ContainerDefaults,
    containers: undefined as unknown as Containers,
    async reopen() {
      await bed.containers.close({ stopContainers: false });
      bed.containers = await open();
    },
    create: async (spec: Partial<ContainerSpec>) =>
      (await bed.containers.create({ ...plainSpec, ...spec }, AbortSignal.timeout(20_000))).id,
    run: async (spec: Partial<ContainerSpec>) => await runToEnd(bed.containers, await bed.create(spec)),
    exec: async (id: string, command: readonly string[]) => await execToEnd(bed.containers, id, command),
    async [Symbol.asyncDispose]() {
      for (const { id } of bed.containers.list({ all: true, filters: {} }))
        await bed.containers
          .remove(id, { force: true, volumes: true })
          .catch((error: unknown) => unexpected.push(error));
      await bed.containers.close({ stopContainers: true });
      await networks.close();
      await endHost(host, dir);
      if (unexpected.length > 0) throw new AggregateError(unexpected, "failures that nobody waited for");
    },
  };
  bed.containers = await open();
  return bed;
}

/** All output of a session, by stream. */
export async function readAll(session: Session): Promise<{ stdout: string; stderr: string }> {
  const pieces = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[], systemerr: [] as Uint8Array[] };
  for await (const item of session.output)
    pieces[item.stream].push("text" in item ? Buffer.from(item.text) : item.bytes);
  return { stdout: Buffer.concat(pieces.stdout).toString(), stderr: Buffer.concat(pieces.stderr).toString() };
}

async function runToEnd(
  containers: Containers,
  id: string,
): Promise<{ exitCode: number; stdout: string; stderr: string; id: string }> {
  const session = await containers.attach(id, {
    streams: ["stdout", "stderr"],
    stdin: false,
    logs: false,
    stream: true,
  });
  const output = readAll(session);
  const { result } = await containers.wait(id, "next-exit", AbortSignal.timeout(30_000));
  await containers.start(id);
  const { exitCode } = await result;
  return { exitCode, id, ...(await output) };
}

async function execToEnd(
  containers: Containers,
  id: string,
  command: readonly string[],
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const execId = await containers.createExec(id, {
    command,
    tty: false,
    attach: { stdin: false, stdout: true, stderr: true },
    env: [],
    user: "",
    workingDir: "",
    privileged: false,
  });
  const session = await containers.startExec(execId, { detach: false, tty: false });
  const output = session === undefined ? { stdout: "", stderr: "" } : await readAll(session);
  const { state } = containers.inspectExec(execId);
  return { exitCode: state.status === "exited" ? state.exitCode : -1, ...output };
}

/** The folder of a bed with its image; the shim is built if it has to be. */
export async function makeBedFolder(): Promise<string> {
  execFileSync(join(repository, "shim/build.sh"), [], { stdio: "inherit" });
  const dir = await mkdtemp("/run/slipway-containers-");
  await chmod(dir, 0o711);
  await makeRootfs(join(dir, "image"));
  return dir;
}

async function endHost(host: Host, dir: string): Promise<void> {
  const socketPath = join(host.paths.execRoot, "shim.sock");
  const { stopZygote } = (await import("../../host/shim/shim.ts")) as { stopZygote: (path: string) => Promise<void> };
  await stopZygote(socketPath);
  await host[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
}

async function makeRootfs(rootfs: string): Promise<void> {
  await mkdir(join(rootfs, "bin"), { recursive: true });
  await mkdir(join(rootfs, "etc"), { recursive: true });
  await mkdir(join(rootfs, "tmp"), { recursive: true, mode: 0o1777 });
  await cp("/bin/busybox", join(rootfs, "bin/busybox"));
  for (const applet of applets.split(" ")) await symlink("busybox", join(rootfs, "bin", applet));
  await writeFile(join(rootfs, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nana:x:1000:1000:Ana:/home/ana:/bin/sh\n");
  await writeFile(join(rootfs, "etc/group"), "root:x:0:\nwheel:x:10:root,ana\nana:x:1000:\nextra:x:77:\n");
  await writeFile(join(rootfs, "etc/plain"), "no program\n");
}

const imageId = `sha256:${"ab".repeat(32)}` as Digest;

/** The part of the images' door that this room uses, over one folder. */
function fakeImages(host: Host, rootfs: string, defaults: () => ContainerDefaults): Images {
  const rootOf = (id: string): string => join(host.paths.dataRoot, "roots", id);
  const openRoot = (id: string): RootFilesystem => {
    const [upper, work] = [join(rootOf(id), "upper"), join(rootOf(id), "work")];
    return {
      mountsAt: (target) => [{ op: "overlay", target, lowers: [rootfs], upper, work, options: [] }],
      shownAt: (target) => [{ op: "overlay", target, lowers: [upper, rootfs], options: [] }],
      driver: { name: "overlay2", data: {} },
    };
  };
  const images: Partial<Images> = {
    find: (name) => {
      if (name !== "busybox" && name !== imageId) throw new Fault("notFound", `No such image: ${name}`);
      const config = {
        architecture: "amd64",
        os: "linux",
        config: defaults(),
        rootfs: { type: "layers" as const, diff_ids: [] },
      };
      return { id: imageId, config, repoTags: ["busybox:latest"], repoDigests: [], sizeBytes: 1, createdNs: 0n };
    },
    createRoot: async (_image, id) => {
      await mkdir(join(rootOf(id), "upper"), { recursive: true });
      await mkdir(join(rootOf(id), "work"), { recursive: true });
      return openRoot(id);
    },
    rootsSettled: async () => {},
    openRoot,
    dropRoot: async (id) => await rm(rootOf(id), { recursive: true, force: true }),
    rootSizes: async (asked) => new Map(asked.map(({ container }) => [container, 42])),
    readRootFile: async (_id, path) => await readFile(join(rootfs, path), "utf8").catch(() => undefined),
    collect: async (alive) => {
      const roots = await readdir(join(host.paths.dataRoot, "roots")).catch(() => []);
      for (const id of roots) if (!alive.has(id)) await rm(rootOf(id), { recursive: true, force: true });
      return { reclaimedBytes: 0 };
    },
  };
  return images as Images;
}
