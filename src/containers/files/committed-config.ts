import type { ContainerDefaults } from "#core/oci";
import { overrideEnv } from "../config/process.ts";
import type { Container } from "../containers.ts";

/** A container's own configuration, as its image would have to say it. */
export function committedConfig(
  process: Container["process"],
  volumes: ContainerDefaults["Volumes"],
): ContainerDefaults {
  const { command, entrypoint, env, exposedPorts, healthcheck, labels, stopSignal, user, workingDir } = process;
  return {
    ...(user !== "" && { User: user }),
    ...(exposedPorts.length > 0 && { ExposedPorts: Object.fromEntries(exposedPorts.map((port) => [port, {}])) }),
    Env: env,
    ...(entrypoint.length > 0 && { Entrypoint: entrypoint }),
    ...(command.length > 0 && { Cmd: command }),
    ...(volumes !== undefined && volumes !== null && { Volumes: volumes }),
    ...(workingDir !== "/" && { WorkingDir: workingDir }),
    ...(Object.keys(labels).length > 0 && { Labels: labels }),
    ...(stopSignal !== "SIGTERM" && { StopSignal: stopSignal }),
    ...(healthcheck !== undefined && { Healthcheck: healthcheck }),
  };
}

/** A configuration given with the request, filled up from the container's own (Docker's rules): lists and maps are joined, a command given alone keeps the entrypoint. */
export function mergedConfig(given: Partial<ContainerDefaults>, own: ContainerDefaults): ContainerDefaults {
  const command = isFilled(given.Entrypoint) || isFilled(given.Cmd) ? given.Cmd : own.Cmd;
  const entrypoint = given.Entrypoint ?? own.Entrypoint;
  return {
    ...own,
    ...withoutNothing(given),
    ExposedPorts: { ...own.ExposedPorts, ...given.ExposedPorts },
    Env: overrideEnv(own.Env ?? [], given.Env ?? []),
    Cmd: command ?? null,
    Entrypoint: entrypoint ?? null,
    Volumes: { ...own.Volumes, ...given.Volumes },
    Labels: { ...own.Labels, ...given.Labels },
    ...(own.Healthcheck !== undefined && { Healthcheck: { ...own.Healthcheck, ...given.Healthcheck } }),
  };
}

function isFilled(list: readonly string[] | null | undefined): boolean {
  return (list?.length ?? 0) > 0;
}

/** Empty texts and nulls say nothing. */
function withoutNothing(given: Partial<ContainerDefaults>): Partial<ContainerDefaults> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null && value !== ""));
}
