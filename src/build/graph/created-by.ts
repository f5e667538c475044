import type { ConfigInstruction } from "#core/dockerfile/apply-config";
import type { ContainerDefaults } from "#core/oci";

/** An instruction as the history has it, from what it made of the config (BuildKit's words, which tools read). */
export function createdBy(instruction: ConfigInstruction, before: ContainerDefaults, after: ContainerDefaults): string {
  switch (instruction.kind) {
    case "cmd":
      return `CMD ${JSON.stringify(after.Cmd ?? [])}`;
    case "entrypoint":
      return `ENTRYPOINT ${JSON.stringify(after.Entrypoint ?? [])}`;
    case "env":
      return ["ENV", ...set(before.Env, after.Env)].join(" ");
    case "label": {
      const changed = Object.entries(after.Labels ?? {}).filter(([name, value]) => before.Labels?.[name] !== value);
      return ["LABEL", ...changed.map(([name, value]) => `${name}=${value}`)].join(" ");
    }
    case "expose":
      return `EXPOSE [${added(before.ExposedPorts, after.ExposedPorts).join(" ")}]`;
    case "volume":
      return `VOLUME [${added(before.Volumes, after.Volumes).join(" ")}]`;
    case "user":
      return `USER ${after.User ?? ""}`;
    case "workdir":
      return `WORKDIR ${after.WorkingDir ?? ""}`;
    case "stopsignal":
      return `STOPSIGNAL ${after.StopSignal ?? ""}`;
    case "shell":
      return `SHELL [${(after.Shell ?? []).join(" ")}]`;
    case "healthcheck":
      return `HEALTHCHECK ${JSON.stringify(after.Healthcheck?.Test ?? [])}`;
    case "onbuild":
      return `ONBUILD ${after.OnBuild?.at(-1) ?? ""}`;
  }
}

function set(before: readonly string[] | null | undefined, after: readonly string[] | null | undefined): string[] {
  return (after ?? []).filter((variable) => !(before ?? []).includes(variable));
}

function added(
  before: Readonly<Record<string, object>> | null | undefined,
  after: Readonly<Record<string, object>> | null | undefined,
): string[] {
  return Object.keys(after ?? {}).filter((name) => before?.[name] === undefined);
}
