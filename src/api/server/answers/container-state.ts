import type { ContainerStateAnswer, StatusWord } from "#api/wire";
import type { Container, ContainerState, Health } from "#containers";
import { rfc3339Nano, zeroTime } from "#core/clock";

/** Docker's word for a state; a container that is about to run is still `created` for clients. */
export function statusWord(state: ContainerState): StatusWord {
  return state.status === "starting" ? "created" : state.status;
}

/** `State` of inspect. */
export function stateAnswer({ state, health, ignoresStopSignal }: Container): ContainerStateAnswer {
  const isUp = state.status === "running" || state.status === "paused";
  const ended = state.status === "exited" || state.status === "restarting" ? state : undefined;
  const created = state.status === "created" ? state : undefined;
  const startedNs = "startedNs" in state ? state.startedNs : undefined;
  return {
    Status: statusWord(state),
    // Docker counts one that waits for its restart as running.
    Running: isUp || state.status === "restarting",
    Paused: state.status === "paused",
    Restarting: state.status === "restarting",
    OOMKilled: "oomKilled" in state && state.oomKilled,
    Dead: state.status === "dead",
    Pid: isUp ? state.pid : 0,
    ExitCode: ended?.exitCode ?? created?.exitCode ?? 0,
    Error: ended?.error ?? created?.error ?? "",
    StartedAt: startedNs === undefined ? zeroTime : rfc3339Nano(startedNs),
    FinishedAt: ended === undefined ? zeroTime : rfc3339Nano(ended.finishedNs),
    ...(ignoresStopSignal === true && { IgnoresStopSignal: true as const }),
    ...(health !== undefined && { Health: healthAnswer(health) }),
  };
}

function healthAnswer({ status, failingStreak, log }: Health): NonNullable<ContainerStateAnswer["Health"]> {
  return {
    Status: status,
    FailingStreak: failingStreak,
    Log: log.map(({ startedNs, endedNs, exitCode, output }) => ({
      Start: rfc3339Nano(startedNs),
      End: rfc3339Nano(endedNs),
      ExitCode: exitCode,
      Output: output,
    })),
  };
}

/** The sentence in `docker ps`: `Up 3 seconds (Paused)`, `Up 2 minutes (healthy)`, `Exited (0) 5 minutes ago`. */
export function statusText({ health, state }: Pick<Container, "health" | "state">, nowNs: bigint): string {
  switch (state.status) {
    case "created":
    case "starting":
      return "Created";
    case "running":
      return `Up ${ageText(nowNs - state.startedNs)}${health === undefined ? "" : ` (${healthWord(health)})`}`;
    case "paused":
      return `Up ${ageText(nowNs - state.startedNs)} (Paused)`;
    case "exited":
      return `Exited (${state.exitCode}) ${ageText(nowNs - state.finishedNs)} ago`;
    case "restarting":
      return `Restarting (${state.exitCode}) ${ageText(nowNs - state.finishedNs)} ago`;
    case "removing":
      return "Removal In Progress";
    case "dead":
      return "Dead";
  }
  return "";
}

function healthWord({ status }: Health): string {
  return status === "starting" ? "health: starting" : status;
}

/** A duration as Docker's people read it: whole units, the larger the rounder. */
export function ageText(durationNs: bigint): string {
  const seconds = Math.max(0, Number(durationNs / 1_000_000_000n));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.round(seconds / 3600);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(seconds / 3600 / 24 / 365)} years`;
}
