import { posix } from "node:path";
import { commandWords } from "#core/dockerfile/apply-config";
import type { RunInstruction } from "#core/dockerfile/dockerfile";
import { parseRunMount, type RunMount } from "#core/dockerfile/run-mount";
import type { Digest } from "#core/digest";
import { Fault } from "#core/fault";
import type { PlannedMount, RunNode } from "./graph.ts";
import type { Stager } from "./plan-stage.ts";
import { environmentValue, passingArgs } from "./scope.ts";

/** Plans RUN; answers it as the history has it. */
export function planRun(stager: Stager, instruction: RunInstruction, step: Digest): string {
  const { planner, scope, config } = stager;
  const env = config.Env ?? [];
  const buildArgs = [...scope.args]
    .filter(([name]) => environmentValue(env, name) === undefined)
    .map(([name, value]) => `${name}=${value}`);
  const proxies = passingArgs.flatMap((name) => {
    const value = planner.request.args[name];
    return value === undefined || scope.args.has(name) ? [] : [`${name}=${value}`];
  });
  const { args, script } = commandOf(stager, instruction);
  const node: RunNode = {
    kind: "run",
    step,
    platform: stager.platform,
    below: stager.files,
    args,
    ...(script !== undefined && { script }),
    env: [...env, ...buildArgs, ...proxies],
    passingEnv: proxies.map((variable) => variable.slice(0, variable.indexOf("="))),
    user: config.User ?? "",
    workingDir: config.WorkingDir || "/",
    network: networkOf(stager, instruction),
    insecure: isInsecure(stager, instruction),
    mounts: instruction.mounts.map((raw) =>
      plannedMount(
        stager,
        parseRunMount(raw, (value) => scope.word(value)),
      ),
    ),
    noCache: stager.noCache,
  };
  stager.files = node;
  const shownArgs = buildArgs.length === 0 ? [] : [`|${buildArgs.length}`, ...buildArgs];
  return ["RUN", ...shownArgs, ...(script === undefined ? args : [...args, "#", script.text])].join(" ");
}

/** A script that says its interpreter is a program; any other is the shell's. */
function commandOf(
  { config }: Stager,
  { command }: RunInstruction,
): { readonly args: readonly string[]; readonly script?: RunNode["script"] } {
  if (command.form !== "script" || !command.text.startsWith("#!")) return { args: commandWords(command, config.Shell) };
  const path = `/dev/pipes/${command.name}`;
  return { args: [path], script: { path, text: command.text } };
}

function networkOf({ planner, scope }: Stager, { network }: RunInstruction): string {
  const asked = network === undefined ? planner.request.network : scope.word(network);
  if (network !== undefined && !["default", "none", "host"].includes(asked))
    throw new Fault("invalid", `invalid network mode ${JSON.stringify(asked)}`, {
      remedy: "RUN --network knows default, none and host.",
    });
  // What the whole build has is allowed to each step.
  const isAllowed = planner.request.network === "host" || planner.request.entitlements.has("network.host");
  if (network !== undefined && asked === "host" && !isAllowed) throw notAllowed("network.host");
  return network !== undefined && asked === "default" ? planner.request.network : asked;
}

function isInsecure({ planner, scope }: Stager, { security }: RunInstruction): boolean {
  const asked = security === undefined ? "sandbox" : scope.word(security);
  if (asked === "sandbox") return false;
  if (asked !== "insecure")
    throw new Fault("invalid", `security ${JSON.stringify(asked)} is not valid`, {
      remedy: "RUN --security knows sandbox and insecure.",
    });
  if (!planner.request.entitlements.has("security.insecure")) throw notAllowed("security.insecure");
  return true;
}

function notAllowed(entitlement: string): Fault {
  return new Fault("forbidden", `granting entitlement ${entitlement} is not allowed by the build's request`, {
    remedy: `Build with --allow ${entitlement}, if you trust the file.`,
  });
}

function plannedMount({ planner, config }: Stager, mount: RunMount): PlannedMount {
  const placed: RunMount =
    mount.target === undefined
      ? mount
      : { ...mount, target: posix.resolve("/", config.WorkingDir ?? "/", mount.target) };
  if (mount.type === "bind") {
    const { from } = mount;
    return { mount: placed, from: from === undefined ? { kind: "context", name: "" } : planner.filesOf(from) };
  }
  if (mount.type !== "cache") return { mount: placed };
  // Its name is what was written, wherever the step works.
  const named = placed.type === "cache" ? { ...placed, id: mount.id ?? placed.target } : placed;
  return mount.from === undefined ? { mount: named } : { mount: named, from: planner.filesOf(mount.from) };
}
