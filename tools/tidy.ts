/** Checks the rules of the house that no linter knows: who may import whom, by which door, names, and promises without proof. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { findingsIn } from "./tidy/findings.ts";
import { longOnes } from "./tidy/long.ts";
import { brokenPromises } from "./tidy/promises.ts";
import { readDoors, readSources } from "./tidy/sources.ts";

const root = join(import.meta.dirname, "..");
const files = await readSources(root);
const specification = await readFile(join(root, "SPECIFICATION.md"), "utf8");
const findings = [...findingsIn(files, await readDoors(root)), ...brokenPromises(specification, files)];
for (const { path, line, message } of findings) console.log(`${path}:${line}: ${message}`);
if (process.argv.includes("--long")) for (const sentence of longOnes(files)) console.log(`(to look at) ${sentence}`);
process.exitCode = findings.length === 0 ? 0 : 1;
