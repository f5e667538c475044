import { type Digest, digestOf } from "#core/digest";

/** One thing that a step is made of: what a person knows it by, and its value or (of what may be private) the digest of that. */
export type Ingredient = readonly [label: string, value: string];

/**
 * All that a step's result depends on. The same ingredients are the same key, on any machine and in any build: contents and
 * never times, digests of layers and never names. `files` tells which file of the sources is which; the key has their sum already.
 */
export class Ingredients {
  readonly #list: readonly Ingredient[];
  readonly #files: Readonly<Record<string, string>>;

  constructor(list: readonly Ingredient[], files: ReadonlyMap<string, string> = new Map()) {
    this.#list = list;
    this.#files = Object.fromEntries(files);
  }

  static parse(text: string): Ingredients {
    const { list, files } = JSON.parse(text) as { list: Ingredient[]; files: Record<string, string> };
    return new Ingredients(list, new Map(Object.entries(files)));
  }

  get text(): string {
    return JSON.stringify({ list: this.#list, files: this.#files });
  }

  get key(): Digest {
    return digestOf(JSON.stringify(this.#list));
  }

  /** What is otherwise than it was, in words; empty when nothing is. */
  changesSince(before: Ingredients): string[] {
    const [was, is] = [new Map(before.#list), new Map(this.#list)];
    const labels = [...new Set([...is.keys(), ...was.keys()])].filter((label) => was.get(label) !== is.get(label));
    return labels.flatMap((label) => (label === sourcesLabel ? this.#changedFiles(before) : [changed(label, was, is)]));
  }

  #changedFiles(before: Ingredients): string[] {
    const [was, is] = [new Map(Object.entries(before.#files)), new Map(Object.entries(this.#files))];
    const paths = [...new Set([...is.keys(), ...was.keys()])].filter((path) => was.get(path) !== is.get(path)).sort();
    if (paths.length === 0) return [`${sourcesLabel} changed`];
    const told = paths.slice(0, mostTold).map((path) => changed(path === "" ? "." : path, was, is));
    return paths.length > mostTold ? [...told, `${paths.length - mostTold} more files changed`] : told;
  }
}

/** The label of the digest over all sources of a step. */
export const sourcesLabel = "its files";

const mostTold = 3;

function changed(name: string, was: ReadonlyMap<string, string>, is: ReadonlyMap<string, string>): string {
  if (!was.has(name)) return `${name} is new`;
  return is.has(name) ? `${name} changed` : `${name} is gone`;
}
