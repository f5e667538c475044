import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { isDigest } from "#core/digest";
import { parseReference, type Reference, withDefaultTag } from "#core/reference";
import { type Catalog, nameOf, repositoryOf } from "./catalog.ts";
import { type LoadParts, loadArchive } from "./load.ts";

const archiveNote = "embedded archive";
const imageNote = "embedded image";
const helloRepository = repositoryOf(parseReference("hello"));

/** Takes the built-in image in, hidden; at once when that very archive was taken in before. An older one becomes an image like others: it goes with the next collection unless it is used. */
export async function takeEmbedded(parts: LoadParts, path: string, signal: AbortSignal): Promise<void> {
  const { catalog } = parts;
  const digest = createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
  const known = embeddedImage(catalog);
  if (known !== undefined && catalog.noteOf(archiveNote) === digest) return;
  const [image] = await loadArchive(parts, createReadStream(path), { embedded: true }, () => undefined, signal);
  if (image === undefined) return;
  catalog.transaction(() => {
    const id = image.manifest.config.digest;
    if (known !== undefined && known !== id) retire(catalog, known);
    catalog.setEmbedded(id, true);
    catalog.note(imageNote, id);
    catalog.note(archiveNote, digest);
  });
}

/** Gives the built-in image its name, when that name is asked for and nobody has it; whether it did. */
export function revealEmbedded(catalog: Catalog, reference: Reference): boolean {
  const wanted = withDefaultTag(reference);
  if (repositoryOf(wanted) !== helloRepository || wanted.digest !== undefined || wanted.tag !== "latest") return false;
  const id = embeddedImage(catalog);
  if (id === undefined || catalog.resolve(wanted) !== undefined) return false;
  catalog.addName(id, nameOf(wanted));
  return true;
}

function embeddedImage(catalog: Catalog): ReturnType<Catalog["resolve"]> {
  const id = catalog.noteOf(imageNote);
  return id !== undefined && isDigest(id) && catalog.image(id)?.embedded === true ? id : undefined;
}

/** The image of an earlier version of the program: it goes, unless somebody named it otherwise or a container holds it. */
function retire(catalog: Catalog, id: NonNullable<ReturnType<typeof embeddedImage>>): void {
  catalog.setEmbedded(id, false);
  const names = catalog.namesOf(id);
  for (const name of names) if (name.repository === helloRepository) catalog.removeName(name);
  if (catalog.namesOf(id).length === 0 && catalog.holdersOf(id).length === 0) catalog.forget(id);
}
