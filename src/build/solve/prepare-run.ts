import { splitVariable } from "#core/dockerfile/apply-config";
import { digestOf, type Digest } from "#core/digest";
import { Fault } from "#core/fault";
import { nativePlatform, type Platform } from "#core/oci";
import { platformName } from "#core/platform";
import { canEmulate } from "#host";
import { Ingredients, type Ingredient } from "../cache/ingredients.ts";
import type { Node, RunNode } from "../graph/graph.ts";
import type { StepParts } from "./parts.ts";
import { prepareMounts } from "./run-mounts.ts";
import { StepFailure } from "./step-failure.ts";
import type { Files, Work } from "./work.ts";

/** RUN: what it is made of, and how it is run. */
export async function prepareRun(
  parts: StepParts,
  node: RunNode,
  below: Digest | undefined,
  files: (node: Node) => Promise<Files>,
  signal: AbortSignal,
): Promise<Work> {
  const { settings } = parts;
  const mounts = await prepareMounts(parts, node, files, signal);
  const list: Ingredient[] = [
    ["instruction", "run"],
    ["what it stands on", below ?? ""],
    ["its command", JSON.stringify([node.args, node.script?.text ?? ""])],
    ...environment(node),
    ["USER", node.user],
    ["WORKDIR", node.workingDir],
    ["--network", node.network],
    ["--security", node.insecure ? "insecure" : ""],
    ["--add-host", settings.extraHosts.join(" ")],
    ["SOURCE_DATE_EPOCH", String(settings.epochSeconds ?? "")],
    ...mounts.ingredients,
  ];
  const ingredients = new Ingredients(list, mounts.files);
  return {
    ingredients: async () => await Promise.resolve(ingredients),
    detached: false,
    run: async (watcher, lease, signal) => {
      signal.throwIfAborted();
      await mustRun(node.platform);
      await using held = await mounts.take(lease, signal);
      const end = await parts.containers.runStep(
        {
          below,
          args: node.args,
          env: [...node.env, ...held.env],
          user: node.user,
          workingDir: node.workingDir,
          hostname: "build",
          networkMode: node.network,
          extraHosts: settings.extraHosts,
          shmSizeBytes: settings.shmSizeBytes,
          ulimits: settings.ulimits,
          limits: settings.limits,
          ...(settings.cgroupParent !== undefined && { cgroupParent: settings.cgroupParent }),
          privileged: node.insecure,
          mounts: held.mounts,
          seal: { ...(settings.epochSeconds !== undefined && { epochSeconds: settings.epochSeconds }) },
          onOutput: async (stream, bytes) => await watcher.output(stream, bytes),
        },
        lease,
        signal,
      );
      if (end.exitCode !== 0)
        throw new StepFailure(node.script?.text ?? node.args.join(" "), end.exitCode, { oomKilled: end.oomKilled });
      return end.sealed;
    },
  };
}

/** Fault `unsupported` where this machine cannot run programs of that platform. */
async function mustRun(platform: Platform): Promise<void> {
  const native = nativePlatform();
  const isNative =
    platform.architecture === native.architecture ||
    (native.architecture === "amd64" && platform.architecture === "386");
  if (isNative || (await canEmulate(platform.architecture))) return;
  const message = `cannot run programs for ${platformName(platform)}: this machine is ${platformName(native)}`;
  throw new Fault("unsupported", message, {
    remedy:
      "Install an emulator that the kernel hands them to (Debian: qemu-user-static with binfmt-support), or build without RUN in that stage.",
  });
}

/** Each variable by its name, so that a person is told which one changed. Values may be private: only what tells them apart is kept. */
function environment({ env, passingEnv }: RunNode): Ingredient[] {
  const values = new Map(env.map((variable) => splitVariable(variable)));
  return [...values]
    .filter(([name]) => !passingEnv.includes(name))
    .map(([name, value]) => [`$${name}`, digestOf(value)]);
}
