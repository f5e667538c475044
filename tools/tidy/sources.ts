import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SourceFile } from "./findings.ts";

/** Every TypeScript file of the repository with its text. */
export async function readSources(root: string): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for await (const path of glob("{bin,src,test,tools,examples,hello,shim}/**/*.ts", { cwd: root })) {
    files.push({ path, text: await readFile(join(root, path), "utf8") });
  }
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** The doors: the `imports` field of package.json. */
export async function readDoors(root: string): Promise<Readonly<Record<string, string>>> {
  const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
    imports: Record<string, string>;
  };
  return manifest.imports;
}
