import type { Finding, SourceFile } from "./findings.ts";

/** Proofs that SPECIFICATION.md names and that do not exist: files, and tests by name (`path` "name"). */
export function brokenPromises(specification: string, files: readonly SourceFile[]): Finding[] {
  const texts = new Map(files.map(({ path, text }) => [path, text]));
  return specification.split("\n").flatMap((row, index) => {
    const proofs = [...row.matchAll(/`([\w./-]+\.ts)`(?: "([^"]+)")?/g)];
    return proofs.flatMap(([, path = "", name]) => {
      const text = texts.get(path);
      const finding = { path: "SPECIFICATION.md", line: index + 1 };
      if (text === undefined) return [{ ...finding, message: `${path} does not exist` }];
      if (name !== undefined && !text.includes(name)) return [{ ...finding, message: `${path} has no test "${name}"` }];
      return [];
    });
  });
}
