import { posix } from "node:path";
import type { Digest } from "#core/digest";
import { Fault } from "#core/fault";
import type { RunMount } from "#core/dockerfile/run-mount";
import type { StepMount } from "#containers";
import type { Lease } from "#images";
import type { Ingredient } from "../cache/ingredients.ts";
import { sourcesLabel } from "../cache/ingredients.ts";
import type { Node, PlannedMount, RunNode } from "../graph/graph.ts";
import { contextStack } from "./context-stack.ts";
import { fillCacheMount } from "./fill-cache-mount.ts";
import type { StepParts } from "./parts.ts";
import type { Files } from "./work.ts";

/** The mounts of a RUN, looked up but not taken. */
export interface PreparedMounts {
  readonly ingredients: readonly Ingredient[];
  /** Which files of the context are mounted, for a person. */
  readonly files: ReadonlyMap<string, string>;
  /** Takes what the step uses alone; disposing it gives it back. */
  take(lease: Lease, signal: AbortSignal): Promise<HeldMounts>;
}

export interface HeldMounts extends AsyncDisposable {
  readonly mounts: readonly StepMount[];
  /** Variables that say where something is, or hold a secret; no part of the step's key. */
  readonly env: readonly string[];
}

/** Looks up what the mounts show. What a secret holds, and what is in a cache mount, changes no key. */
export async function prepareMounts(
  parts: StepParts,
  node: RunNode,
  files: (node: Node) => Promise<Files>,
  signal: AbortSignal,
): Promise<PreparedMounts> {
  const mounts = await Promise.all(node.mounts.map(async (each) => await lookUp(parts, each, files, signal)));
  const changed = new Map(mounts.flatMap(({ files }) => [...files]));
  const ingredients = mounts.map(({ mount, shown }, index): Ingredient => [
    shown.fromContext
      ? index === 0
        ? sourcesLabel
        : `${sourcesLabel} (${index})`
      : `--mount to ${mount.target ?? ""}`,
    JSON.stringify([mount, shown.digest ?? ""]),
  ]);
  return {
    ingredients,
    files: changed,
    take: async (lease, signal) => {
      await using undo = new AsyncDisposableStack();
      const taken: StepMount[] = [];
      const env: string[] = [];
      for (const [index, { mount, shown }] of mounts.entries()) {
        const part = await take(parts, undo, { mount, shown, index }, lease, signal);
        taken.push(...part.mounts);
        env.push(...part.env);
      }
      const held = undo.move();
      return { mounts: taken, env, [Symbol.asyncDispose]: async () => await held.disposeAsync() };
    },
  };
}

/** Files that a mount shows. */
interface Shown {
  readonly digest?: string;
  readonly fromContext: boolean;
  /** Makes the stack, where it is not there yet. */
  readonly stack?: (
    lease: Lease,
    signal: AbortSignal,
  ) => Promise<{ readonly stack: Digest | undefined; readonly subpath: string }>;
}

interface LookedUpMount {
  readonly mount: RunMount;
  readonly shown: Shown;
  readonly files: ReadonlyMap<string, string>;
}

async function lookUp(
  parts: StepParts,
  { mount, from }: PlannedMount,
  files: (node: Node) => Promise<Files>,
  signal: AbortSignal,
): Promise<LookedUpMount> {
  if (from === undefined) return { mount, shown: { fromContext: false }, files: new Map() };
  const source = "source" in mount ? (mount.source ?? "") : "";
  if (from.kind === "node") {
    const { stack } = await files(from.node);
    const subpath = posix.resolve("/", source);
    return {
      mount,
      shown: { fromContext: false, digest: `${stack ?? ""} ${subpath}`, stack: async () => ({ stack, subpath }) },
      files: new Map(),
    };
  }
  const tree = await parts.tree(from, files);
  const chosen = await contextStack(parts, tree, source, signal);
  return { mount, shown: { fromContext: true, digest: chosen.digest, stack: chosen.stack }, files: chosen.files };
}

interface Taking {
  readonly mount: RunMount;
  readonly shown: Shown;
  readonly index: number;
}

interface Taken {
  readonly mounts: readonly StepMount[];
  readonly env: readonly string[];
}

const nothing: Taken = { mounts: [], env: [] };

async function take(
  parts: StepParts,
  undo: AsyncDisposableStack,
  { mount, shown, index }: Taking,
  lease: Lease,
  signal: AbortSignal,
): Promise<Taken> {
  switch (mount.type) {
    case "bind": {
      const made = await shown.stack?.(lease, signal);
      if (made === undefined) throw new Error("a bind mount of nothing");
      return { mounts: [{ kind: "stack", ...made, target: mount.target, writable: !mount.readOnly }], env: [] };
    }
    case "tmpfs":
      return { mounts: [{ kind: "tmpfs", target: mount.target, sizeBytes: mount.sizeBytes ?? 0 }], env: [] };
    case "cache": {
      const { id = mount.target, sharing, mode = 0o755, uid = 0, gid = 0 } = mount;
      const made = await shown.stack?.(lease, signal);
      const fill = async (folder: string): Promise<void> => {
        if (made !== undefined) await fillCacheMount(parts, folder, made, signal);
      };
      const held = undo.use(await parts.cacheMounts.take({ id, sharing, mode, uid, gid }, fill, signal));
      return {
        mounts: [{ kind: "host", source: held.folder, target: mount.target, readOnly: mount.readOnly }],
        env: [],
      };
    }
    case "secret":
      return takeSecret(parts, mount);
    case "ssh":
      return takeAgent(parts, mount, index);
  }
}

function takeSecret({ settings }: StepParts, mount: RunMount & { readonly type: "secret" }): Taken {
  const { id, env, required, mode = 0o400, uid = 0, gid = 0 } = mount;
  const bytes = settings.secrets.get(id);
  if (bytes === undefined) {
    if (!required) return nothing;
    throw new Fault("invalid", `secret ${id}: not found`, { remedy: `Give it with --secret id=${id},src=FILE.` });
  }
  const target = mount.target ?? (env === undefined ? `/run/secrets/${id}` : undefined);
  return {
    mounts: target === undefined ? [] : [{ kind: "secret", bytes, target, mode, uid, gid }],
    env: env === undefined ? [] : [`${env}=${Buffer.from(bytes).toString("utf8")}`],
  };
}

function takeAgent({ settings }: StepParts, mount: RunMount & { readonly type: "ssh" }, index: number): Taken {
  const source = settings.sshAgents.get(mount.id);
  if (source === undefined) {
    if (!mount.required) return nothing;
    throw new Fault("invalid", `unset ssh forward key ${mount.id}`, {
      remedy: mount.id === "default" ? "Build with --ssh default." : `Build with --ssh ${mount.id}=SOCKET.`,
    });
  }
  const target = mount.target ?? `/run/buildkit/ssh_agent.${index}`;
  return { mounts: [{ kind: "host", source, target, readOnly: false }], env: [`SSH_AUTH_SOCK=${target}`] };
}
