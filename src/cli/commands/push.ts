import { canonical, familiarName, parseReference, withDefaultTag } from "#core/reference";
import { defineCommand } from "../command.ts";
import { credentialsFor } from "../credentials.ts";
import { text, toggle } from "../flags/flag.ts";
import { showProgress } from "../output/progress.ts";
import { print, type Surroundings } from "../surroundings.ts";

/** `slipway push`. */
export const push = defineCommand({
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  summary: "Upload an image to a registry",
  description:
    "Logins come from Docker's config.json. What the registry has is not sent again; an upload that broke goes on where it stopped.",
  examples: [["slipway push registry.example.com/team/app:1", "Upload an image that has this name"]],
  flags: {
    "all-tags": toggle("Upload every tag of the repository", { short: "a" }),
    "disable-content-trust": toggle("Accepted and without effect", { hidden: true, initial: true }),
    platform: text("Of an image for several platforms only this one, such as linux/arm64"),
    quiet: toggle("Print only the image's name", { short: "q" }),
  },
  args: [1, 1],
  completes: "images",
  run: async ({ args, around, values }) => {
    const [name = ""] = args;
    const given = parseReference(name);
    const isBare = given.tag === undefined && given.digest === undefined;
    if (values["all-tags"] && !isBare) throw new Error("tag can't be used with --all-tags/-a");
    if (!values["all-tags"] && isBare && !values.quiet) await print(around, "Using default tag: latest");
    const reference = values["all-tags"] ? given : withDefaultTag(given);
    await pushImage(around, reference, { quiet: values.quiet, platform: values.platform });
    if (values.quiet) await print(around, canonical(reference));
    return 0;
  },
});

async function pushImage(
  around: Surroundings,
  reference: ReturnType<typeof parseReference>,
  { quiet, platform }: { readonly quiet: boolean; readonly platform: string },
): Promise<void> {
  const auth = await credentialsFor(await around.userConfig(), canonical(reference));
  const { tag, digest } = reference;
  const client = await around.client();
  const messages = await client.images.push({
    image: `${familiarName(reference)}${digest === undefined ? "" : `@${digest}`}`,
    ...(tag !== undefined && digest === undefined && { tag }),
    ...(platform !== "" && { platform }),
    ...(auth !== undefined && { auth }),
  });
  if (!quiet) return await showProgress(messages, around.stdout);
  for await (const _message of messages) {
    // The iteration itself throws what fails.
  }
}
