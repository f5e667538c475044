import type { Digest } from "#core/digest";
import { digestOf } from "#core/digest";
import { statSync } from "node:fs";
import { blankSpec } from "../config/blank-spec.ts";
import { checkSpec } from "../config/checks.ts";
import { settleLimits, withDefaultSwap } from "../config/limits.ts";
import { endpointsOfMode } from "../config/network-mode.ts";
import type { BindRequest, ContainerMount, ContainerSpec, TmpfsRequest } from "../containers.ts";
import { foldersOf } from "../life/folders.ts";
import { isolationOf } from "../life/namespaces.ts";
import type { Room } from "../room.ts";
import type { ContainerRecord } from "../store.ts";
import type { StepRequest } from "./step-types.ts";

/** The container that a step is: a record like others, which no store ever has. Faults `invalid` as for `create`. */
export function stepRecord(room: Room, id: string, request: StepRequest): ContainerRecord {
  const { machine, cgroups } = room.host;
  const limits = settleLimits(request.limits, { cgroups: cgroups.limits, cpus: machine.cpus }, "create");
  const { args, env, workingDir, user } = request;
  const spec: ContainerSpec = {
    ...blankSpec,
    image: "",
    networkMode: request.networkMode,
    endpoints: endpointsOfMode(request.networkMode),
    extraHosts: request.extraHosts,
    shmSizeBytes: request.shmSizeBytes,
    ulimits: request.ulimits,
    limits: withDefaultSwap(limits.limits),
    privileged: request.privileged,
    namespaces: { ...blankSpec.namespaces, user: request.privileged || request.networkMode === "host" ? "host" : "" },
    logging: { driver: "none", options: {} },
    ...(request.cgroupParent !== undefined && { cgroupParent: request.cgroupParent }),
  };
  checkSpec(spec, machine);
  const { hosts, hostname, resolvConf } = foldersOf(room.host.paths, id);
  const record: ContainerRecord = {
    id,
    // Of nobody who is told of: the networks know it by its id alone.
    name: "",
    createdNs: room.clock.now(),
    spec,
    imageId: noImage,
    process: {
      args,
      entrypoint: [],
      command: args,
      env,
      workingDir,
      user,
      stopSignal: "SIGKILL",
      labels: {},
      exposedPorts: [],
    },
    hostname: request.hostname,
    mounts: [],
    state: { status: "created" },
    restartCount: 0,
    stoppedByHand: false,
    logPath: "",
    files: { hosts, hostname, resolvConf },
  };
  const isMapped = isolationOf(room, record).userNamespace !== undefined;
  return { ...record, mounts: request.mounts.flatMap((mount) => ownMount(mount, isMapped)) };
}

const noImage: Digest = digestOf("");

/** What a container can have mounted, too. A folder of the machine shows the ids that the layers have. */
function ownMount(mount: StepRequest["mounts"][number], isMapped: boolean): ContainerMount[] {
  if (mount.kind === "host") {
    const { source, target, readOnly } = mount;
    const isFolder = statSync(source, { throwIfNoEntry: false })?.isDirectory() === true;
    const bind: BindRequest = { kind: "bind", source, target, readOnly, createSource: false, propagation: "rprivate" };
    return [isMapped && isFolder ? { ...bind, idmap: "" } : bind];
  }
  if (mount.kind !== "tmpfs") return [];
  const { target, sizeBytes } = mount;
  const tmpfs: TmpfsRequest = { kind: "tmpfs", target, sizeBytes, readOnly: false, mode: 0, options: [["exec"]] };
  return [tmpfs];
}
