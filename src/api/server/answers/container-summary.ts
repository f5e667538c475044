import { apiVersion, type ApiVersion, type ContainerSummary } from "#api/wire";
import type { Container } from "#containers";
import type { Network } from "#networks";
import { mountPoint } from "./mount-answer.ts";
import { portSummaries, shownNetworkMode } from "./container-network.ts";
import { statusText, statusWord } from "./container-state.ts";
import { networkMap } from "./endpoint-answer.ts";

/** What an entry of the list is made from beside the container. */
export interface SummarySources {
  readonly networks: readonly Network[];
  readonly version: ApiVersion;
  readonly nowNs: bigint;
  /** The image's name as `ps` shows it; an id when no reference names the image any more. */
  readonly imageName: string;
  readonly sizes?: { readonly writableBytes: number; readonly rootBytes: number };
}

/** One entry of `GET /containers/json`. */
export function containerSummary(container: Container, sources: SummarySources): ContainerSummary {
  const { spec, process, state } = container;
  const { sizes } = sources;
  const hasAnnotations = sources.version >= apiVersion("1.46") && Object.keys(spec.annotations).length > 0;
  return {
    Id: container.id,
    Names: [`/${container.name}`],
    Image: sources.imageName,
    ImageID: container.imageId,
    Command: commandText(process.args),
    Created: Number(container.createdNs / 1_000_000_000n),
    Ports: portSummaries(container),
    ...(sizes !== undefined && { SizeRw: sizes.writableBytes, SizeRootFs: sizes.rootBytes }),
    Labels: process.labels,
    State: statusWord(state),
    Status: statusText(container, sources.nowNs),
    HostConfig: {
      NetworkMode: shownNetworkMode(spec.networkMode),
      ...(hasAnnotations && { Annotations: spec.annotations }),
    },
    NetworkSettings: { Networks: networkMap(container, sources) },
    Mounts: container.mounts.map(mountPoint),
  };
}

/** The program and its arguments in one line, those with a space in single quotes, as Docker shows it. */
function commandText([program = "", ...args]: readonly string[]): string {
  return [program, ...args.map((arg) => (arg.includes(" ") ? `'${arg}'` : arg))].join(" ");
}
