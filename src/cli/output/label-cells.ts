import type { RowCells } from "./rows.ts";

interface LabelCells {
  readonly fields: { readonly Labels: () => string };
  readonly methods: NonNullable<RowCells["methods"]>;
}

/** What rows of things with labels tell of those: all of them, sorted (`.Labels`), and one by its name (`.Label`). */
export function labelCells(labels: Readonly<Record<string, string>> | null | undefined): LabelCells {
  const known = labels ?? {};
  return {
    fields: { Labels: () => joined(known) },
    methods: { Label: (name) => known[String(name)] ?? "" },
  };
}

function joined(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(",");
}
