import type { Filters, VolumeAnswer, VolumeCreateRequest, VolumesAnswer, VolumesPruneAnswer } from "#api/wire";
import { filterQuery } from "./containers.ts";
import type { Transport } from "./transport.ts";

/** `/volumes`; a volume is named by its name. */
export class VolumesClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(filters: Filters = {}, signal?: AbortSignal): Promise<VolumesAnswer> {
    return this.#transport.json("GET", "/volumes", { query: filterQuery(filters), signal });
  }

  inspect(name: string, signal?: AbortSignal): Promise<VolumeAnswer> {
    return this.#transport.json("GET", pathOf(name), { signal });
  }

  /** Answers the volume; one that has the name already is answered as it is. */
  create(request: VolumeCreateRequest, signal?: AbortSignal): Promise<VolumeAnswer> {
    return this.#transport.json("POST", "/volumes/create", { body: request, signal });
  }

  /** Of cluster volumes alone; others are an EngineFault of 503. */
  async update(name: string, options: { readonly version: number }, body: object, signal?: AbortSignal): Promise<void> {
    await this.#transport.done("PUT", pathOf(name), { query: { version: String(options.version) }, body, signal });
  }

  /** Faults: 409 while containers have it; 404 for one that is not there, unless forced. */
  async remove(name: string, options: { readonly force?: boolean } = {}, signal?: AbortSignal): Promise<void> {
    await this.#transport.done("DELETE", pathOf(name), { query: { force: options.force }, signal });
  }

  /** Removes volumes that nobody has: those without a name, and with the filter `all=true` the others too. */
  prune(filters: Filters = {}, signal?: AbortSignal): Promise<VolumesPruneAnswer> {
    return this.#transport.json("POST", "/volumes/prune", { query: filterQuery(filters), signal });
  }
}

function pathOf(name: string): string {
  return `/volumes/${encodeURIComponent(name)}`;
}
