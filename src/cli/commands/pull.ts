import { defineCommand } from "../command.ts";
import { text, toggle } from "../flags/flag.ts";
import { pullImage } from "../pull-image.ts";
import { familiar, parseReference, withDefaultTag } from "#core/reference";
import { print } from "../surroundings.ts";

/** `slipway pull`. */
export const pull = defineCommand({
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  summary: "Download an image from a registry",
  description: "Logins come from Docker's config.json. A download that broke is taken up where it stopped.",
  examples: [["slipway pull debian:12", "Download an image"]],
  flags: {
    "all-tags": toggle("Download every tag of the repository", { short: "a" }),
    "disable-content-trust": toggle("Accepted and without effect", { hidden: true, initial: true }),
    platform: text("Platform to choose, such as linux/arm64"),
    quiet: toggle("Print only the image's name", { short: "q" }),
  },
  args: [1, 1],
  completes: "images",
  run: async ({ args, around, values }) => {
    const [name = ""] = args;
    const reference = parseReference(name);
    if (values["all-tags"] && (reference.tag !== undefined || reference.digest !== undefined)) {
      throw new Error("tag can't be used with --all-tags/-a");
    }
    if (!values["all-tags"] && reference.tag === undefined && reference.digest === undefined && !values.quiet) {
      await print(around, "Using default tag: latest");
    }
    await pullImage(around, name, {
      allTags: values["all-tags"],
      quiet: values.quiet,
      platform: values.platform,
      stream: around.stdout,
    });
    const full = values["all-tags"] ? reference : withDefaultTag(reference);
    await print(around, familiarWithDomain(full));
    return 0;
  },
});

/** What Docker prints last: the name with its registry. */
function familiarWithDomain(reference: ReturnType<typeof parseReference>): string {
  const text = familiar(reference);
  if (reference.domain !== "docker.io") return text;
  return `docker.io/${reference.path}${text.slice(text.search(/[:@]|$/))}`;
}
