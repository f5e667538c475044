import { Fault } from "#core/fault";
import { noLimits } from "#containers";
import type { BuildRequest } from "./build.ts";
import type { StepSettings } from "./solve/parts.ts";

/** What the request says of all its steps. Fault `invalid` for a SOURCE_DATE_EPOCH that is none. */
export function stepSettings(request: BuildRequest): StepSettings {
  const { limits, cgroupParent, extraHosts, shmSizeBytes, ulimits, secrets, sshAgents } = request;
  const epochSeconds = request.sourceDateEpoch ?? epochOf(request.args["SOURCE_DATE_EPOCH"]);
  return {
    extraHosts,
    shmSizeBytes,
    ulimits,
    limits: { ...noLimits, ...limits },
    secrets,
    sshAgents,
    ...(cgroupParent !== undefined && { cgroupParent }),
    ...(epochSeconds !== undefined && { epochSeconds }),
  };
}

function epochOf(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (/^\d{1,11}$/.test(text)) return Number(text);
  throw new Fault("invalid", `invalid SOURCE_DATE_EPOCH: ${text.slice(0, 60)}`, {
    remedy: "Give whole seconds since 1970, such as 1700000000.",
  });
}
