import type { Container, Containers } from "#containers";
import { isFault } from "#core/fault";

export interface ContainerSizes {
  readonly writableBytes: number;
  readonly rootBytes: number;
}

/** Each measurement may be a program that walks a tree; more at once only compete for the disk. */
const atOnce = 8;

/** The sizes of containers by id; those that are removed meanwhile are left out. */
export async function containerSizes(
  containers: Pick<Containers, "sizes">,
  measured: readonly Container[],
): Promise<ReadonlyMap<string, ContainerSizes>> {
  const sizes = new Map<string, ContainerSizes>();
  const queue = measured.values();
  const worker = async (): Promise<void> => {
    // The workers share one iterator: each container is taken once.
    for (const { id } of queue) {
      try {
        sizes.set(id, await containers.sizes(id));
      } catch (error) {
        if (!isFault(error, "notFound")) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return sizes;
}
