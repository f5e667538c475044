import { asFault, Fault } from "#core/fault";
import { familiar, familiarName, type Reference } from "#core/reference";
import { RegistryFault } from "./registry/failure.ts";

/** A failure to find out what a reference names, in the words that Docker's clients match on. */
export function resolveFault(error: unknown, reference: Reference): unknown {
  if (!(error instanceof RegistryFault)) return error;
  if (error.reason === "missing" && error.code === "name unknown") {
    return new Fault("notFound", `repository ${familiarName(reference)} not found: ${error.message}`, { cause: error });
  }
  if (error.reason === "missing") {
    const said = error.code === "" ? "manifest unknown: manifest unknown" : error.message;
    return new Fault("notFound", `manifest for ${familiar(reference)} not found: ${said}`, {
      cause: error,
      remedy: "Check the tag; the registry knows the repository or does not tell.",
    });
  }
  if (error.reason !== "denied") return error;
  // Credentials that were refused are one thing. No `unauthorized`: its 401 has the docker CLI ask for a password on
  // standard input, where a script waits for ever; dockerd answers 500 here.
  if (error.code === "rejected") {
    return new Fault("forbidden", error.message, { cause: error, ...(error.remedy && { remedy: error.remedy }) });
  }
  // A stranger at the door is another: nobody tells it whether there is a house.
  const name = familiarName(reference);
  const message = `pull access denied for ${name}, repository does not exist or may require 'docker login': ${error.message}`;
  return new Fault("notFound", message, {
    cause: error,
    remedy: `Check the name ${name}; if it is private, log in first: docker login ${reference.domain}`,
  });
}

/** The first failure of several that is not just the echo of another (their common signal fires when one fails). */
export function causeOf(outcomes: readonly PromiseSettledResult<unknown>[]): unknown {
  const failures = outcomes.filter((outcome) => outcome.status === "rejected");
  const cause = failures.find(({ reason }) => asFault(reason).kind !== "cancelled") ?? failures[0];
  return cause?.reason;
}
