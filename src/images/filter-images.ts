import { fitsLabels } from "#core/label";
import type { Clock } from "#core/clock";
import { Fault } from "#core/fault";
import type { Image, ImageFilters } from "./images.ts";
import { matchesReference } from "./match-reference.ts";
import { parseTime } from "#core/parse-time";

const knownKeys = new Set(["dangling", "label", "label!", "before", "since", "reference", "until"]);

/** The images that pass every filter, in their order; with `reference`, only their matching names. Faults: `invalid` for an unknown key or value, in Docker's words; what `find` throws. */
export function filterImages(
  images: readonly Image[],
  filters: ImageFilters,
  find: (name: string) => Image,
  clock: Clock,
): Image[] {
  for (const key of Object.keys(filters)) {
    if (!knownKeys.has(key)) throw new Fault("invalid", `invalid filter '${key}'`);
  }
  const values = (key: string): readonly string[] => filters[key] ?? [];
  const before = values("before").map((name) => find(name).createdNs);
  const since = values("since").map((name) => find(name).createdNs);
  const until = values("until").map((text) => parseTime(text, clock.now()));
  const dangling = values("dangling").map(parseBoolean);
  const references = values("reference");
  return images
    .filter((image) => dangling.every((wanted) => wanted === (image.repoTags.length === 0)))
    .filter((image) => [...before, ...until].every((timeNs) => image.createdNs < timeNs))
    .filter((image) => since.every((timeNs) => image.createdNs > timeNs))
    .filter((image) => fitsLabels(labelsOf(image), filters))
    .map((image) => (references.length === 0 ? image : withMatching(image, references)))
    .filter((image) => references.length === 0 || image.repoTags.length + image.repoDigests.length > 0);
}

function withMatching(image: Image, patterns: readonly string[]): Image {
  const matching = (names: readonly string[]): string[] =>
    names.filter((name) => patterns.some((pattern) => matchesReference(pattern, name)));
  return { ...image, repoTags: matching(image.repoTags), repoDigests: matching(image.repoDigests) };
}

function labelsOf(image: Image): Readonly<Record<string, string>> {
  return image.config.config?.Labels ?? {};
}

function parseBoolean(text: string): boolean {
  if (["1", "t", "true"].includes(text.toLowerCase())) return true;
  if (["0", "f", "false"].includes(text.toLowerCase())) return false;
  throw new Fault("invalid", `invalid filter 'dangling=[${text}]'`);
}
