import { Fault } from "#core/fault";
import type { ContainerState } from "./containers.ts";
import type { ContainerRecord } from "./store.ts";

/** The states in which a container has processes. */
export type RunningState = Extract<ContainerState, { readonly pid: number }>;

/** Whether the container has processes: it runs or is paused. */
export function isRunning(state: ContainerState): state is RunningState {
  return state.status === "running" || state.status === "paused";
}

/** The running state, or Fault `conflict` in Docker's words. */
export function mustRun(record: ContainerRecord): RunningState {
  if (isRunning(record.state)) return record.state;
  if (record.state.status === "restarting") throw restartingFault(record);
  throw new Fault("conflict", `container ${record.id} is not running`);
}

/** What cannot be done to a container between two runs. */
export function restartingFault({ id }: ContainerRecord): Fault {
  return new Fault("conflict", `Container ${id} is restarting, wait until the container is running`);
}

/** Checks that a start makes sense now. */
export function mustBeStartable({ id, state }: ContainerRecord): void {
  switch (state.status) {
    case "created":
    case "exited":
      return;
    case "starting":
    case "running":
    case "restarting":
      throw new Fault("notModified", `container ${id} is already running`);
    case "paused":
      throw new Fault("conflict", "cannot start a paused container, try unpause instead");
    case "removing":
    case "dead":
      throw new Fault("conflict", "container is marked for removal and cannot be started");
  }
}

/** The exit code that `wait` and inspect show for a container that does not run. */
export function lastExitCode(state: ContainerState): number {
  return "exitCode" in state ? (state.exitCode ?? 0) : 0;
}
