import { relative, resolve } from "node:path";
import { explainContext } from "#core/ignore/ignore-file";
import { readContextFile } from "../build/context-tar.ts";
import { defineCommand } from "../command.ts";
import { text } from "../flags/flag.ts";
import { print } from "../surroundings.ts";

/** `slipway build explain-ignore`. */
export const explainIgnored = defineCommand({
  usage: "[OPTIONS] PATH [PATH...]",
  summary: "Say which line of .dockerignore decides about paths",
  description: "Answers for each path whether it is part of the build context, and why. Asks no engine.",
  examples: [["slipway build explain-ignore node_modules/x.js", "Does it come with the build?"]],
  flags: {
    context: text("Folder of the build context", { initial: "." }),
    file: text("The Dockerfile, which may have an ignore file of its own", { short: "f" }),
  },
  args: [1, Infinity],
  completes: "files",
  run: async ({ args, around, values }) => {
    const folder = resolve(values.context);
    const dockerfile = values.file === "" ? "Dockerfile" : relative(folder, resolve(values.file));
    const paths = args.map((path) => relative(folder, resolve(path)));
    const outside = paths.findIndex((path) => path === ".." || path.startsWith("../"));
    if (outside >= 0) throw new Error(`${args[outside]} is not in the build context ${folder}`);
    const answers = await explainContext(async (path) => await readContextFile(folder, path), dockerfile, paths);
    for (const { excluded, file, path, rule } of answers) {
      const why =
        rule === undefined
          ? file === undefined
            ? "there is no .dockerignore"
            : `no line of ${file} fits`
          : `${file}:${rule.line}: ${rule.text}`;
      await print(around, `${path || "."}: ${excluded ? "left out" : "part of the context"} (${why})`);
    }
    return 0;
  },
});
