import { Fault } from "#core/fault";

/** What keeps a container out of networks: it has none (`none`), or somebody else's (the host's, a container's). */
export type Alone = "none" | "shared";

/** The refusal in Docker's words: `forbidden` for a container that is there, `invalid` for a request that asks for both. */
export function aloneFault(kind: "forbidden" | "invalid", alone: Alone): Fault {
  return new Fault(kind, sentences[alone]);
}

const sentences: Readonly<Record<Alone, string>> = {
  none: "container cannot be connected to multiple networks with one of the networks in private (none) mode",
  shared: "container sharing network namespace with another container or host cannot be connected to any other network",
};
