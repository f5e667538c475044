import type { ContainerDefaults } from "#core/oci";
import { Fault } from "#core/fault";
import type { Container, ContainerSpec } from "../containers.ts";
import { mergeHealthcheck, probeCommand } from "./healthcheck.ts";
import { parseSignal } from "./signals.ts";

/** Joins what a person asked for with what the image says (Docker's rules). Faults `invalid`: no command, relative working folder, unknown signal. */
export function resolveProcess(spec: ContainerSpec, image: ContainerDefaults): Container["process"] {
  const { entrypoint, command } = joinCommand(spec, image);
  const workingDir =
    spec.workingDir ?? (image.WorkingDir === undefined || image.WorkingDir === "" ? "/" : image.WorkingDir);
  if (!workingDir.startsWith("/")) {
    throw new Fault("invalid", `the working directory '${workingDir}' is invalid, it needs to be an absolute path`);
  }
  const stopSignal =
    spec.stopSignal ?? (image.StopSignal === undefined || image.StopSignal === "" ? "SIGTERM" : image.StopSignal);
  parseSignal(stopSignal);
  const healthcheck = mergeHealthcheck(spec.healthcheck, image.Healthcheck);
  const probe = probeCommand(healthcheck, image.Shell ?? []);
  return {
    args: [...entrypoint, ...command],
    entrypoint,
    command,
    env: joinEnv(spec.env, image.Env ?? []),
    workingDir: tidyPath(workingDir),
    user: spec.user ?? image.User ?? "",
    stopSignal,
    labels: { ...image.Labels, ...spec.labels },
    exposedPorts: [...new Set([...Object.keys(image.ExposedPorts ?? {}), ...spec.exposedPorts])],
    ...declaredVolumes(spec, image),
    ...(healthcheck !== undefined && { healthcheck }),
    ...(probe !== undefined && { probe }),
  };
}

/** The environment that a container's process starts with: Docker's own names, then the container's; a name without `=` removes. */
export function processEnv(options: {
  readonly env: readonly string[];
  readonly hostname: string;
  readonly tty: boolean;
  readonly home: string;
}): string[] {
  const env = overrideEnv(
    [
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      `HOSTNAME=${options.hostname}`,
      ...(options.tty ? ["TERM=xterm"] : []),
    ],
    options.env,
  );
  return env.some((entry) => entry.startsWith("HOME=")) ? env : [...env, `HOME=${options.home}`];
}

/** `changes` over `base`: same names are replaced in place, new ones follow, names alone are taken away. */
export function overrideEnv(base: readonly string[], changes: readonly string[]): string[] {
  const values = new Map(base.map((entry) => [nameOf(entry), entry]));
  for (const entry of changes) {
    if (entry.includes("=")) values.set(nameOf(entry), entry);
    else values.delete(entry);
  }
  return [...values.values()];
}

function joinCommand(spec: ContainerSpec, image: ContainerDefaults): { entrypoint: string[]; command: string[] } {
  let { entrypoint, command } = spec;
  if (entrypoint === undefined || entrypoint.length === 0) {
    if (command === undefined || command.length === 0) command = image.Cmd ?? [];
    entrypoint ??= image.Entrypoint ?? [];
  }
  // `--entrypoint ""` takes the image's away, and its command with it.
  if (entrypoint.length === 1 && entrypoint[0] === "") entrypoint = [];
  const joined = { entrypoint: [...entrypoint], command: [...(command ?? [])] };
  if (joined.entrypoint.length + joined.command.length === 0) {
    throw new Fault("invalid", "no command specified", {
      remedy: "The image names no program to run: give one behind the image's name.",
    });
  }
  return joined;
}

/** An image's odd words mean what they mean from the root on; one that means the root means nothing. */
function declaredVolumes(
  { volumes }: ContainerSpec,
  { Volumes: declared }: ContainerDefaults,
): Pick<Container["process"], "volumes"> {
  const ofImage = Object.keys(declared ?? {}).map((path) => tidyPath(path.replaceAll("\0", "")));
  const all = [...new Set([...ofImage, ...volumes])].filter((path) => path !== "/");
  return all.length === 0 ? {} : { volumes: all };
}

/** The person's entries first, then the image's that they do not name. */
function joinEnv(own: readonly string[], image: readonly string[]): string[] {
  const named = new Set(own.map(nameOf));
  return [...own, ...image.filter((entry) => !named.has(nameOf(entry)))];
}

function nameOf(entry: string): string {
  return entry.split("=", 1)[0] ?? "";
}

/** The path from the root on, `.` and `..` applied, without a trailing slash. */
export function tidyPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}
