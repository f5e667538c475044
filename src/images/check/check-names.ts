import { familiar } from "#core/reference";
import { referenceOf } from "../catalog.ts";
import type { Finding } from "../images.ts";
import type { CheckOptions, CheckParts } from "./check.ts";

/** The database itself, names of images that are not there, and images whose layers have no record. */
export function* checkNames(
  { catalog, records }: Pick<CheckParts, "catalog" | "records">,
  { repair }: Pick<CheckOptions, "repair">,
): Generator<Finding, void, void> {
  for (const text of records.integrityProblems()) {
    const remedy = "Stop the daemon, keep a copy of slipway.db, and restore it from a backup.";
    yield {
      kind: "damaged database",
      subject: "slipway.db",
      text: `the database is damaged: ${text}`,
      outcome: "left",
      remedy,
    };
  }
  for (const name of records.danglingNames()) {
    if (repair) catalog.removeName(name);
    const shown = familiar(referenceOf(name));
    const text = `name ${shown} is of an image that is not there`;
    yield { kind: "dangling name", subject: shown, text, outcome: repair ? "repaired" : "repairable" };
  }
  for (const { id, topChain } of catalog.images()) {
    if (topChain === undefined || catalog.hasWholeStack(topChain)) continue;
    const [name] = catalog.namesOf(id);
    const shown = name === undefined ? id : familiar(referenceOf(name));
    const text = `image ${shown} lacks the records of layers`;
    const remedy = `Remove it and pull it again: slipway rmi -f ${shown}`;
    yield { kind: "missing layer", subject: topChain, text, outcome: "left", remedy };
  }
}
