import { type Digest, digestOf } from "#core/digest";

/** The id of a stack of layers, from the id of the stack below and the DiffID on top (OCI image-spec config.md#layer-chainid). */
export function chainIdOf(parent: Digest | undefined, diffId: Digest): Digest {
  return parent === undefined ? diffId : digestOf(`${parent} ${diffId}`);
}

/** The ids of all stacks of an image, base first; as many as there are DiffIDs. */
export function chainIdsOf(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) chain.push(chainIdOf(chain.at(-1), diffId));
  return chain;
}
